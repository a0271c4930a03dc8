"""What stands before all media paths: headers, version handshake, route guards (media contract,
3.2, 3.5, 3.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from builtin_plugins.media.answers import HEADERS
from plugin_sdk import (
    Permissions,
    Request,
    RequestFilter,
    Response,
    Settings,
    Unauthenticated,
)

__all__ = ["Gatekeeping"]

_API: Final = "/api/v1"
_SOCKET: Final = "/ws"
_PATHS: Final = (_API, "/health", "/api/docs", "/api/docs.json")
_VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]+)")
_MANAGE: Final = "MANAGE_SETTINGS"
_COMMON: Final = {name: value for name, value in HEADERS.items() if name != "Cache-Control"}


class Gatekeeping:
    def __init__(
        self, settings: Settings, permissions: Permissions, governed: Callable[[], bool]
    ) -> None:
        """``governed`` says whether there is any profile that could open what is guarded."""
        self._settings = settings
        self._permissions = permissions
        self._governed = governed

    def filters(self) -> list[RequestFilter]:
        """What marks an answer comes before web_guard, which answers by itself: refused origins,
        preflights and requests too many."""
        return [
            RequestFilter(_PATHS, self._mark, order=9),
            RequestFilter((_API,), self._shake, order=21),
            RequestFilter((_API, _SOCKET), self._guard, order=22, identify=True),
        ]

    def _mark(self, request: Request) -> Mapping[str, str]:
        return {**_COMMON, "X-API-Version": self._settings["apiVersion"]}

    def _shake(self, request: Request) -> Response | None:
        sent = request.headers.get("x-client-version")
        if sent is None:
            return None
        ours: str = self._settings["apiVersion"]
        theirs = _VERSION.fullmatch(sent.strip())
        own = _VERSION.fullmatch(ours)
        if (
            theirs
            and own
            and [int(n) for n in theirs.groups()[:2]] == [int(n) for n in own.groups()[:2]]
        ):
            return None
        body = {
            "success": False,
            "error": "Version mismatch",
            "message": f"This server needs a client of version {ours.rpartition('.')[0]}.x",
            "data": {"clientVersion": sent, "apiVersion": ours, "upgradeRequired": True},
        }
        return Response(body, 426, {"Cache-Control": "no-store"})

    def _guard(self, request: Request) -> None:
        """Raises Unauthenticated, Forbidden."""
        if not self._settings["enableRouteGuards"] or request.method == "OPTIONS":
            return
        if not self._governed():
            return
        path = request.path.rstrip("/")
        reading = request.method in ("GET", "HEAD")
        if path == _SOCKET or (reading and path != f"{_API}/logs"):
            if not request.principal.signed_in:
                raise Unauthenticated("A valid token is needed: route guards are on.")
            return
        self._permissions.require(request.principal, _MANAGE)
