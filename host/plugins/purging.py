"""Purge: removing what a plugin keeps, also of one that is not installed any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from host.db import Engine, KeyValueData
from host.jobs import JobService
from host.plugins.deprecations import DeprecationLog
from host.plugins.discovery import is_plugin_id
from host.plugins.files import remove
from host.plugins.hooks import HookRegistry
from host.plugins.inventory import Inventory
from host.plugins.manager import PluginManager
from host.plugins.packages import code_files
from host.providers import PluginBlobs, ProviderRegistry
from host.settings import SettingsStore
from plugin_sdk import Conflict, NotFound, ProviderUnavailable
from plugin_sdk.management import Holding

__all__ = ["Purger"]


class Purger:
    """Section 10.4 of the plugin contract."""

    def __init__(
        self,
        manager: PluginManager,
        *,
        engine: Engine,
        folders: Path,
        settings: SettingsStore,
        providers: ProviderRegistry,
        jobs: JobService,
        hooks: HookRegistry,
        emit: Callable[[str, Mapping[str, Any]], object],
        release: Callable[[str], object],
        deprecations: DeprecationLog,
    ) -> None:
        """``release`` makes the event bus let go of a plugin's database."""
        self._manager = manager
        self._engine = engine
        self._folders = folders
        self._settings = settings
        self._providers = providers
        self._jobs = jobs
        self._hooks = hooks
        self._emit = emit
        self._release = release
        self._deprecations = deprecations
        self._inventory = Inventory(engine, folders, providers, hooks)

    def purge(self, plugin_id: str, scope: Literal["data", "all"] = "data") -> None:
        """Raises NotFound for an id that is unknown and has no data; Conflict for ``all`` of a
        plugin that is active or protected; ProviderUnavailable when the storage fails, so that
        files of the plugin are left: its database and settings are then, too."""
        self._manager.register.look()
        record = self._manager.register.find(plugin_id)
        with self._manager.change:
            if scope == "all" and record is not None:
                self._refuse_all(plugin_id)
            elsewhere = self._purge_elsewhere(plugin_id, scope)
            if record is None and not elsewhere and not self._keeps(plugin_id):
                raise NotFound(f'There is no plugin "{plugin_id}", and no data of one.')
            if not is_plugin_id(plugin_id):
                return  # other plugins may hold rows under any text; files only under an id
            if self._engine.exists(plugin_id):
                KeyValueData(self._engine.open(plugin_id)).clear_all()
            if scope == "all":
                self._purge_rest(plugin_id)
                if record is None:  # nobody can enable it any more
                    self._manager.wishes.forget(plugin_id)
            self._emit("host.plugin_purged", {"pluginId": plugin_id, "scope": scope})

    def _refuse_all(self, plugin_id: str) -> None:
        record = self._manager.register.record(plugin_id)
        if record.protected:
            text = f"{plugin_id} is needed to run this host; only its data can be purged."
            raise Conflict(text, code="PROTECTED_PLUGIN")
        if record.running is not None:
            text = f"{plugin_id} is active. Disable it before everything of it is purged."
            raise Conflict(text, code="PLUGIN_ACTIVE")

    def _keeps(self, plugin_id: str) -> bool:
        return is_plugin_id(plugin_id) and (
            self._engine.exists(plugin_id) or (self._folders / plugin_id).is_dir()
        )

    def _purge_elsewhere(self, plugin_id: str, scope: Literal["data", "all"]) -> int:
        """What other plugins hold on its behalf."""
        results = self._hooks.call("purge", plugin_id=plugin_id, scope=scope)
        return sum(each.value for each in results if isinstance(each.value, int))

    def _purge_rest(self, plugin_id: str) -> None:
        self._purge_blobs(plugin_id)  # first: it may fail, and can be tried again then
        self._release(plugin_id)
        self._engine.drop(plugin_id)
        self._settings.forget(plugin_id)
        self._jobs.purge(plugin_id)
        self._deprecations.forget(plugin_id)
        self._forget_choices(plugin_id)
        folder = self._folders / plugin_id
        if folder.is_dir():
            code = set(code_files(folder))
            for path in folder.iterdir():
                if path not in code:
                    remove(path)
            if not any(folder.iterdir()):
                folder.rmdir()

    def _forget_choices(self, plugin_id: str) -> None:
        """What was chosen among providers, while it is known which were the plugin's."""
        record = self._manager.register.find(plugin_id)
        if record is not None and record.manifest is not None:
            for each in record.manifest.providers:
                self._providers.forget(each.type, each.name)

    def holdings(self, plugin_id: str) -> list[Holding]:
        """See `plugin_sdk.management.PluginManagement.holdings`."""
        self._manager.register.look()
        self._deprecations.flush()
        record = self._manager.register.find(plugin_id)
        found = self._inventory.of(plugin_id)
        if record is None and not found:
            raise NotFound(f'There is no plugin "{plugin_id}", and no data of one.')
        if record is not None and record.found.source == "folder":
            found.append(self._inventory.code(plugin_id))
        return found

    def _purge_blobs(self, plugin_id: str) -> None:
        """Of the active storage provider; without one there is nothing to remove from."""
        if self._providers.owner_of_active("storage") is None:
            return
        blobs = PluginBlobs(plugin_id, lambda: self._providers.active("storage"))
        before: list[str] = []
        while keys := [each.key for each in blobs.list(limit=500)]:
            if keys == before:
                raise ProviderUnavailable(
                    f'The storage still lists "{keys[0]}" of {plugin_id} after it was deleted.'
                )
            for key in keys:
                blobs.delete(key)
            before = keys
