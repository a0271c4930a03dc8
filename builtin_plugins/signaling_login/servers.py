"""Which signaling servers may vouch for a login (local REST contract, 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from plugin_sdk import Forbidden, Settings

__all__ = ["PATTERN", "AllowedServers", "normalised"]

_SCHEME: Final = r"[hH][tT][tT][pP][sS]?|[wW][sS][sS]?"
_HOST: Final = r"\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._-]|[^\x00-\xa0\s])+"
_PORT: Final = (  # 1 to 65535
    r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_REST: Final = r"\x00-\x20\x7f-\x9f\s\\"

PATTERN: Final = (
    rf"^\s*(?:({_SCHEME})://)?({_HOST})(?::({_PORT}))?(/[^?#{_REST}]*)?"
    rf"(?:\?[^#{_REST}]*)?(?:#[^{_REST}]*)?\s*(?![\s\S])"
)
"""A server as people write it. The same text is the ``pattern`` of the setting's entries, so
that what cannot be normalised is refused where it is set, whichever way. A backslash is refused
beyond the contract: some parsers take it for a slash, and then read another host."""

_SERVER: Final = re.compile(PATTERN)
_WEB_SCHEMES: Final[Mapping[str, str]] = {"ws": "http", "wss": "https"}
_DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


def normalised(text: str) -> str | None:
    """The one spelling of a server: ``https://host[:port][/path]``; None when it has none."""
    found = _SERVER.search(text)
    if found is None:
        return None
    scheme = (found[1] or "https").lower()
    scheme = _WEB_SCHEMES.get(scheme, scheme)
    port = int(found[3]) if found[3] else _DEFAULT_PORTS[scheme]
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{found[2].lower()}{shown_port}{(found[4] or '').rstrip('/')}"


class AllowedServers:
    """The setting ``allowedSignalingServers``, each entry in its one spelling."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[list[str], frozenset[str]] = ([], frozenset())

    @property
    def entries(self) -> frozenset[str]:
        """As of now; normalised anew only when the setting has changed."""
        texts: list[str] = self._settings["allowedSignalingServers"]
        known = self._known
        if texts != known[0]:
            known = self._known = texts, frozenset(filter(None, map(normalised, texts)))
        return known[1]

    def match(self, text: str) -> str:
        """The entry that the client's text means. Raises Forbidden (NO_ALLOWED_SERVERS,
        SERVER_NOT_ALLOWED)."""
        entries = self.entries
        if not entries:
            raise Forbidden(
                "No signaling server is allowed to vouch for anybody "
                "(setting allowedSignalingServers of signaling_login).",
                code="NO_ALLOWED_SERVERS",
            )
        server = normalised(text)
        if server is None or server not in entries:
            raise not_allowed()
        return server


def not_allowed() -> Forbidden:
    return Forbidden(
        "This signaling server is not allowed here "
        "(setting allowedSignalingServers of signaling_login).",
        code="SERVER_NOT_ALLOWED",
    )
