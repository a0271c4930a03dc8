"""The Host-header check: which names this host answers to.

A page from elsewhere whose name was pointed at this machine (DNS rebinding) still sends its own
name. So only names that are known to be ours are served.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from plugin_sdk import Forbidden, Problem
from plugin_sdk.http import is_loopback

__all__ = ["HostNames", "HostRefused"]

_ALWAYS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_MAX_REMEMBERED: Final = 64
_HEADERS: Final = {  # what media paths always carry (media contract, 3.2): no filter is asked here
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


class HostRefused(Forbidden):
    """The Host header names somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "Host not allowed",
            details=[Problem("Host", "is no name of this machine; add it to the allowed hosts")],
            headers=_HEADERS,
        )


class HostNames:
    """``allowed`` gives the names that the operator configured, in any case; it is asked for each
    request that none of our own names fits, so it must be cheap."""

    def __init__(
        self,
        allowed: Callable[[], frozenset[str]] = frozenset,
        listening: Iterable[str] = (),
        own_address: Callable[[str], bool] | None = None,
    ) -> None:
        self._allowed = allowed
        self._own_address = own_address or _is_own_address
        self._known = _ALWAYS | {_bracketed(name.lower()) for name in listening}
        self._seen: frozenset[str] = frozenset()
        """Headers as sent that named this machine."""

    def allows(self, host: str | None, protocol: str, peer: str) -> bool:
        """Whether a request with this Host header is served. The port does not matter.

        Without one only HTTP/1.0 from this machine is (RFC 9112, 3.2)."""
        if host is None:
            return protocol == "HTTP/1.0" and is_loopback(peer)
        return host in self._seen or self._allows_slowly(host)

    def _allows_slowly(self, host: str) -> bool:
        name = _name_of(host)
        allowed = self._allowed()
        if name in allowed:  # may change at any time, so it is never remembered
            return True
        if name in self._known or self._own_address(name):
            if len(self._seen) < _MAX_REMEMBERED:
                self._seen |= {host}
            return True
        return any(name == _bracketed(each.lower()) for each in allowed)


def _name_of(host: str) -> str:
    """Without the port, in lower case."""
    host = host.strip().lower()
    if host.endswith("]"):
        return host
    name, colon, port = host.rpartition(":")
    if colon and (not port or (port.isascii() and port.isdigit())):
        return name
    return host


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _is_own_address(name: str) -> bool:
    """Whether an address in a Host header is one of this machine's interfaces.

    There is no portable way to list them, but only an own address can be bound."""
    try:
        address: IPv4Address | IPv6Address = ip_address(name.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and (address.scope_id or not name.startswith("[")):
        return False
    if address.is_unspecified or address.is_multicast:
        return False
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
