"""Addresses in files that come from anywhere: they are shown to people's browsers, which would ask
them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["public_address"]

_WEB: Final = re.compile(r"https?://[^\s<>\"\\]+", re.IGNORECASE)
_OURS: Final = frozenset({"localhost", "local", "internal", "lan", "home", "arpa"})
"""Last words of names that are never of the open internet (RFC 6761, 6762, 8375), or never its."""
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def public_address(text: str) -> str | None:
    """An ``http`` or ``https`` address, unless its host says by itself that it is of this machine
    or of a network at home: a number that is not public in whichever way browsers write one (URL
    standard, 3.5), a name of one word, ``localhost``. What names lead to is not looked up here."""
    found = _WEB.fullmatch(text.strip())
    if found is None:
        return None
    try:
        host = urlsplit(found.group()).hostname or ""
    except ValueError:
        return None
    return found.group() if _may_be_public(host) else None


def _may_be_public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        last = name.rpartition(".")[2]
        # Browsers take "127.1" and "0x7f.1" for numbers, and other scripts' dots for dots.
        return name.isascii() and "." in name and not (_NUMBER.fullmatch(last) or last in _OURS)
    inner = getattr(address, "ipv4_mapped", None) or address
    return inner.is_global and not inner.is_multicast
