"""Drops: settings documents, and encrypted messages through drop boxes. See the contract of the
same name; the work is in the other modules of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from builtin_plugins.drops import hookspecs
from builtin_plugins.drops.callers import check_caller, check_path
from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.settings_routes import SettingsRoutes
from builtin_plugins.drops.shapes import Kind
from builtin_plugins.drops.tables import create_tables
from plugin_sdk import Database, Plugin, Request, Response, migration, route

__all__ = ["Drops", "plugin"]

_SETTINGS: Final = ("settings documents",)


class Drops(Plugin):
    hookspecs = (hookspecs,)

    _documents: Documents
    _local: SettingsRoutes
    _synced: SettingsRoutes

    @migration("001-documents-and-inbox")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    def enable(self) -> None:
        context = self.context
        self._documents = Documents(context, self._synced_changes, self._changed)
        self._local = SettingsRoutes("settings", self._documents)
        self._synced = SettingsRoutes("synced", self._documents)

    def guard(self, request: Request) -> None:
        check_caller(request, self.context.settings)
        check_path(request)

    # Documents

    @route("GET", "/settings", access="open", errors=(401, 403), tags=_SETTINGS)
    def get_settings(self, request: Request) -> Response:
        """The local settings"""
        return self._local.get()

    @route("PUT", "/settings", access="open", errors=(400, 401, 403, 405), tags=_SETTINGS)
    def put_settings(self, request: Request) -> Response:
        """Set one key of the local settings"""
        return self._local.put(request)

    @route("POST", "/settings", access="open", errors=(400, 401, 403, 405), tags=_SETTINGS)
    def post_settings(self, request: Request) -> Response:
        """Replace the local settings"""
        return self._local.post(request)

    @route("GET", "/synced", access="open", errors=(401, 403), tags=_SETTINGS)
    def get_synced(self, request: Request) -> Response:
        """The synced settings, private keys included"""
        return self._synced.get()

    @route("PUT", "/synced", access="open", errors=(400, 401, 403, 405), tags=_SETTINGS)
    def put_synced(self, request: Request) -> Response:
        """Set one key of the synced settings"""
        return self._synced.put(request)

    @route("POST", "/synced", access="open", errors=(400, 401, 403, 405), tags=_SETTINGS)
    def post_synced(self, request: Request) -> Response:
        """Replace the synced settings"""
        return self._synced.post(request)

    def _synced_changes(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Inside the transaction of a write."""

    def _changed(self, kind: Kind, path: str) -> None:
        self.context.hooks.call("drops_settings_changed", kind=kind, path=path)


plugin = Drops
