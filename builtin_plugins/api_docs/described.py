"""The documents, kept as text until routes change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from builtin_plugins.api_docs.document import Described, build_document
from builtin_plugins.api_docs.media_document import build_media_document, is_media
from plugin_sdk import Context, NotFound, Response
from plugin_sdk.management import ApiCatalog, HostInfo, PublishedRoute, SettingsManagement

__all__ = ["Documents"]

_MEDIA = "media"
_API_VERSION = "0.3.0"
_NO_STORE = {"Cache-Control": "no-store"}


class _Kept:
    """One document, rebuilt when its key changes."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, Described] | None = None

    def get(self, key: Hashable, build: Callable[[], dict[str, Any]]) -> Described:
        kept = self._kept
        if kept is None or kept[0] != key:
            kept = self._kept = (key, Described(build()))
        return kept[1]


class Documents:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._api: ApiCatalog = context.services.get("host.api")
        self._info: HostInfo = context.services.get("host.info")
        self._settings: SettingsManagement = context.services.get("host.settings")
        self._everything = _Kept()
        self._media = _Kept()

    def text(self, server: str) -> str:
        """The document of everything, for the server at that address."""
        build = lambda: build_document(self._api.routes(), self._info.version)  # noqa: E731
        return self._everything.get(self._api.version, build).text(server)

    def everything(self, server: str) -> Response:
        return Response.json_text(self.text(server), headers=_NO_STORE)

    def media_routes(self) -> Sequence[PublishedRoute]:
        return [each for each in self._api.routes() if is_media(each.path)]

    def media(self, server: str) -> Response:
        version, guarded = self._media_settings()
        described = self._media.get(
            (self._api.version, version, guarded),
            lambda: build_media_document(self._api.routes(), version, guarded=guarded),
        )
        return Response.json_text(described.text(server), headers=_NO_STORE)

    def _media_settings(self) -> tuple[str, bool]:
        """The version that media answers with, and whether its guards are in effect: they are
        asked for, and there is somebody who could sign in."""
        try:
            values = self._settings.values(_MEDIA)
        except NotFound:
            return _API_VERSION, False
        version = values.get("apiVersion")
        asked_for = values.get("enableRouteGuards") is True
        guarded = asked_for and any(
            each.governs() for each in self._context.providers.chain("auth")
        )
        return version if isinstance(version, str) and version else _API_VERSION, guarded
