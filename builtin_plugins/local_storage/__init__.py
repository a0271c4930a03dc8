"""Keeps the blobs of all plugins as files on this machine: the storage provider ``local``."""

from __future__ import annotations

from builtin_plugins.local_storage.index import create_index
from builtin_plugins.local_storage.provider import LocalStorage
from plugin_sdk import Database, Plugin, Provider, migration


class LocalStoragePlugin(Plugin):
    _storage: LocalStorage

    @migration("0001-index-of-keys")
    def _create_index(self, db: Database) -> None:
        create_index(db)

    def enable(self) -> None:
        context = self.context
        self._storage = LocalStorage(context.paths.data, context.db, context.clock, context.log)
        self._storage.recover()

    def providers(self) -> list[Provider]:
        return [Provider("storage", LocalStorage.name, self._storage)]

    def disable(self) -> None:
        self._storage.close()


plugin = LocalStoragePlugin
