"""Which origins may use the API (media contract, 4.2): parsed, never compared by substring."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

__all__ = ["OriginRules"]

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
)
_PRIVATE: Final = tuple(
    IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_QUAD: Final = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_WEB: Final = frozenset({"http", "https"})
_WRAPPERS: Final = frozenset({"capacitor", "ionic"})
"""Schemes of pages that mobile applications bring along."""


@dataclass(frozen=True, slots=True)
class OriginRules:
    """``listed`` are origins word by word."""

    listed: Collection[str]
    localhost: bool
    lan: bool

    def allow(self, origin: str, own_host: str) -> bool:
        """Whether a page of this origin may ask; ``own_host`` is the request's Host header."""
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None or (found["port"] is not None and int(found["port"]) > 65535):
            return False
        if origin in self.listed:
            return True
        scheme, host = found["scheme"], found["host"]
        if self.localhost and scheme in _WRAPPERS and host == "localhost":
            return True
        if scheme not in _WEB:
            return False
        if self.localhost and _is_localhost(host):
            return True
        if self.lan and _is_private(host):
            return True
        return origin.lower().partition("://")[2] == own_host.lower()


def _is_localhost(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "[::1]") or (
        host.endswith(".localhost") and not host.startswith(".")
    )


def _is_private(host: str) -> bool:
    if _QUAD.fullmatch(host) is None:
        return False
    try:
        address = IPv4Address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)
