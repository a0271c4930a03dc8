"""Rooms: one store with two faces, the open-group API for the public and a local API to read."""

from __future__ import annotations

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.hookspecs import RoomsHooks
from builtin_plugins.rooms.local.face import LocalFace
from builtin_plugins.rooms.store import RoomsStore
from builtin_plugins.rooms.tables import create_tables
from plugin_sdk import Database, migration

__all__ = ["Rooms", "plugin"]


class Rooms(LocalFace):
    hookspecs = (RoomsHooks,)

    @migration("001-rooms")
    def _create_tables(self, db: Database) -> None:
        create_tables(db)

    def enable(self) -> None:
        self.core = Core(self.context)
        self.store = RoomsStore(self.core)
        self.context.services.offer("rooms.store", self.store)
        self.enable_local()

    def disable(self) -> None:
        self.disable_local()


plugin = Rooms
