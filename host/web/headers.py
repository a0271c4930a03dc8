"""Headers on the way in, read lazily, and on the way out, checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from plugin_sdk import Headers

__all__ = [
    "HOP_BY_HOP",
    "NO_SNIFFING",
    "EnvironHeaders",
    "add_headers",
    "check_header",
    "is_private",
]

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of the connection, not of the answer: a WSGI application must not send them."""

NO_SNIFFING: Final = ("X-Content-Type-Options", "nosniff")
"""On every answer: what we call text is not to be run as a script."""

_NAME: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_PRIVATE: Final = frozenset({"auth", "profiles", "setup", "admin"})


class EnvironHeaders(Headers):
    """Request headers straight from a WSGI environment: nothing is copied."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_key(name)]
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self._environ.get(_key(name), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._environ

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()
            elif key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                yield key.replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=512)
def _key(name: str) -> str:
    if "_" in name:  # no server passes such a header on: it would pose as the one with dashes
        return ""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


def check_header(name: object, value: object) -> str | None:
    """What keeps a header from being sent, or None."""
    refused = _check_name(name) if isinstance(name, str) else f"{name!r} is no header name"
    if refused is not None:
        return refused
    if not isinstance(value, str):
        return f"the value of {name} is {type(value).__name__}, not a text"
    if value.isascii() and value.isprintable():  # as nearly all are
        return None
    if any(c in value for c in "\r\n\0"):
        return f"the value of {name} has a line break"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return f"the value of {name} has characters that a header cannot carry"
    return None


@lru_cache(maxsize=512)
def _check_name(name: str) -> str | None:
    if not name or not _NAME.issuperset(name):
        return f"{name!r} is no header name"
    if name.lower() in HOP_BY_HOP:
        return f"{name} belongs to the connection, which is the server's"
    return None


def add_headers(headers: list[tuple[str, str]], more: Mapping[str, str]) -> None:
    """Puts further headers (names in lower case) on an answer. One that it has stays as it is,
    but the fields of ``Vary`` are joined (RFC 9110, 12.5.5)."""
    present = {name.lower(): place for place, (name, _) in enumerate(headers)}
    for name, value in more.items():
        place = present.get(name)
        if place is None:
            headers.append((name, value))
        elif name == "vary":
            own, given = headers[place]
            known = {field.strip().lower() for field in given.split(",")}
            fresh = [field for field in value.split(",") if field.strip().lower() not in known]
            headers[place] = (own, ", ".join([given, *(field.strip() for field in fresh)]))


def is_private(path: str) -> bool:
    """Whether answers at this path are never to be stored (accounts-and-plugins, 1.1)."""
    parts = path.split("/", 3)
    return len(parts) > 2 and parts[1] == "api" and parts[2] in _PRIVATE
