"""Other machines read nothing here unless the setting ``exposeOnLan`` of local_api says so."""

from __future__ import annotations

from plugin_sdk import Forbidden, NotFound, Request
from plugin_sdk.management import SettingsManagement

__all__ = ["LanGuard"]


class LanGuard:
    """The guard of section 1.3 of the local REST contract. The setting is asked of the host, so
    it counts while local_api is switched off; where there is no local_api, nothing is exposed."""

    def __init__(self, settings: SettingsManagement) -> None:
        self._settings = settings

    def check(self, request: Request) -> None:
        """Raises Forbidden (LAN_DISABLED). Only the socket's other end counts."""
        if not request.loopback and not self._exposed():
            raise Forbidden(
                "This API answers its own machine only (setting exposeOnLan of local_api).",
                code="LAN_DISABLED",
            )

    def _exposed(self) -> bool:
        try:
            return self._settings.values("local_api").get("exposeOnLan") is True
        except NotFound:
            return False
