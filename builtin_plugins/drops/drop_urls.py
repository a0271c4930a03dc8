"""DropURLs: addresses of drop boxes (contract, 4.3), and the URLs of servers."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from typing import Final

__all__ = ["drop_url_problem", "host_of", "is_below", "new_drop_id", "url_problem"]

MAX_LENGTH: Final = 2048

_URL: Final = re.compile(
    r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[^/?#\x00-\x20\x7f]+)*)/(?P<id>[A-Za-z0-9_-]{43})"
)
_SERVER: Final = re.compile(
    r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\s\x00-\x20\x7f]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][^\s\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def drop_url_problem(url: str, *, allow_unqualified: bool) -> str | None:
    """What keeps a text from being a DropURL, as a clause; None for a good one."""
    if len(url) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    found = _URL.fullmatch(url)
    if found is None or not url.isprintable() or " " in url:
        return "is no DropURL: scheme://host/path/ and an id of 43 characters A-Z a-z 0-9 - _"
    if not _is_port(found["port"]):
        return "has a port that is not between 1 and 65535"
    return _host_problem(found["host"], allow_unqualified)


def url_problem(url: str) -> str | None:
    """What keeps a text from being an absolute http or https URL."""
    found = _SERVER.fullmatch(url)
    if found is None or not _is_port(found["port"]) or not url.isprintable():
        return "is no absolute http or https URL"
    return None


def host_of(url: str) -> str:
    """For logs: the id of a box is nobody's business."""
    found = _SERVER.match(url)
    return found["host"] if found is not None else "?"


def is_below(url: str, server: str) -> bool:
    """Whether a box belongs to a drop server (contract, 7.2, rule 1)."""
    return url.startswith(server.rstrip("/") + "/")


def new_drop_id() -> str:
    """32 random bytes, URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def _is_port(port: str | None) -> bool:
    return port is None or 1 <= int(port) <= 65535


def _host_problem(host: str, allow_unqualified: bool) -> str | None:
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return "names no valid IPv6 address"
        return None
    labels = host.split(".")
    if labels[-1].isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return "names no valid IPv4 address"
        return None
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "names no valid host"
    if len(labels) == 1 and host.lower() != "localhost" and not allow_unqualified:
        return "names a host of one word (setting allowUnqualifiedHosts)"
    return None
