"""All that is kept of a plugin, wherever: counted before somebody decides to remove it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from host.db import Engine, HostDatabase
from host.plugins.discovery import is_plugin_id
from host.plugins.hooks import HookRegistry
from host.plugins.packages import code_files
from host.providers import PluginBlobs, ProviderRegistry
from plugin_sdk import ProviderUnavailable
from plugin_sdk.management import Holding

__all__ = ["Inventory", "data_files"]

_PAGE: Final = 500
_OWN: Final = (("keys", "_stagebox_data"), ("events", "_stagebox_outbox"))
_OF_HOST: Final = (
    ("settings", "_stagebox_settings"),
    ("jobs", "_stagebox_jobs"),
    ("schedules", "_stagebox_job_schedule"),
    ("deprecations", "_stagebox_deprecations"),
)
"""What a purge removes from the host's tables, by their column plugin_id."""


class Inventory:
    """Reads only, and nothing of the plugin is run."""

    def __init__(
        self, engine: Engine, folders: Path, providers: ProviderRegistry, hooks: HookRegistry
    ) -> None:
        self._engine = engine
        self._host = engine.open("host")
        self._folders = folders
        self._providers = providers
        self._hooks = hooks

    def of(self, plugin_id: str) -> list[Holding]:
        """What there is, none of it empty; for an id that is unknown, too."""
        if not is_plugin_id(plugin_id):
            return list(self._elsewhere(plugin_id))
        found = [
            *self._database(plugin_id),
            *self._host_rows(plugin_id),
            self._blobs(plugin_id),
            _files("files", data_files(self._folders / plugin_id)),
            *self._elsewhere(plugin_id),
        ]
        return [each for each in found if each.rows]

    def code(self, plugin_id: str) -> Holding:
        """Of one that was installed as a folder: what an uninstallation removes besides."""
        folder = self._folders / plugin_id
        return _files("code", _walk(code_files(folder)) if folder.is_dir() else iter(()))

    def _database(self, plugin_id: str) -> Iterator[Holding]:
        if not self._engine.exists(plugin_id):
            return
        database = self._engine.open(plugin_id)
        yield Holding("database", "", 1, self._engine.size(plugin_id))
        for kind, table in _OWN:
            yield Holding(kind, "", database.table(table).count_where())
        for name in sorted(database.tables()):
            yield Holding("table", name, database.table(name).count_where())

    def _host_rows(self, plugin_id: str) -> Iterator[Holding]:
        for kind, table in _OF_HOST:
            yield Holding(kind, "", _count(self._host, table, plugin_id))

    def _blobs(self, plugin_id: str) -> Holding:
        count = size = 0
        try:
            blobs = PluginBlobs(plugin_id, lambda: self._providers.active("storage"))
            after: str | None = None
            while page := blobs.list(after=after, limit=_PAGE):
                count, after = count + len(page), page[-1].key
                size += sum(each.size for each in page)
        except ProviderUnavailable:
            pass  # what cannot be listed cannot be removed either
        return Holding("blobs", "", count, size)

    def _elsewhere(self, plugin_id: str) -> Iterator[Holding]:
        """Other plugins on its behalf; what is no number of rows counts as nothing."""
        for result in self._hooks.call("holds", plugin_id=plugin_id):
            held = result.value if isinstance(result.value, Mapping) else {}
            for name in sorted(held):
                if isinstance(held[name], int):
                    yield Holding("elsewhere", f"{result.plugin_id}: {name}", held[name])


def data_files(folder: Path) -> Iterator[Path]:
    """The files in a plugin's folder that are neither its code nor its database."""
    if not folder.is_dir():
        return
    code = set(code_files(folder))
    kept = [path for path in sorted(folder.iterdir()) if path not in code]
    yield from _walk([path for path in kept if not path.name.startswith("plugin.db")])


def _walk(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_symlink() or path.is_file():
            yield path
        elif path.is_dir():
            yield from (each for each in sorted(path.rglob("*")) if each.is_file())


def _files(kind: str, paths: Iterator[Path]) -> Holding:
    count = size = 0
    for path in paths:
        try:
            count, size = count + 1, size + path.lstat().st_size
        except FileNotFoundError:  # the plugin may be at work
            continue
    return Holding(kind, "", count, size)


def _count(database: HostDatabase, table: str, plugin_id: str) -> int:
    return database.table(table).count_where("plugin_id = :plugin_id", {"plugin_id": plugin_id})
