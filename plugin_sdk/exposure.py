"""Who may call from where: routes for this machine alone, until a setting opens them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from plugin_sdk.errors import Forbidden, NotFound
from plugin_sdk.http import Request
from plugin_sdk.management import SettingsManagement

__all__ = ["LanGuard", "network_of"]


def network_of(peer: str) -> str:
    """Whom to count a peer's attempts under: its IPv4 address, or the /64 of an IPv6 one, since
    that is the least a customer has to send from (RFC 6177). What is no address stays as it is."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), 64), strict=False))


class LanGuard:
    """One door of several plugins: other machines stay outside while a setting is off.

    ``exposed`` tells what the setting is, at each request of another machine; ``setting`` is what
    the refusal calls it. Call `check` in `Plugin.guard`, so that it comes before anything else is
    judged (local REST contract, 1.3).
    """

    def __init__(self, exposed: Callable[[], bool], setting: str) -> None:
        self._exposed = exposed
        self._setting = setting

    @classmethod
    def of(cls, settings: SettingsManagement, plugin_id: str, name: str) -> LanGuard:
        """By a boolean setting of another plugin. It is asked of the host, so it counts while
        that plugin is switched off; where there is no such plugin, nothing is exposed."""

        def exposed() -> bool:
            try:
                return settings.values(plugin_id).get(name) is True
            except NotFound:
                return False

        return cls(exposed, f"{name} of {plugin_id}")

    def check(self, request: Request) -> None:
        """Raises Forbidden (LAN_DISABLED). Only the socket's other end counts, never what a
        header says."""
        if not request.loopback and not self._exposed():
            raise Forbidden(
                f"This API answers its own machine only (setting {self._setting}).",
                code="LAN_DISABLED",
            )
