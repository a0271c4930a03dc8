"""The host's services for plugins that manage it (plugin_sdk.management)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from host.app.diagnosis import ask_for_diagnostics
from host.app.life import Life
from host.db import Engine, key_values, read_value
from host.logs import HostLogs, log_tail
from host.plugins.catalog import Catalog
from host.plugins.deprecations import DeprecationLog
from host.plugins.discovery import is_plugin_id
from host.plugins.installing import Installer
from host.plugins.manager import PluginManager
from host.plugins.purging import Purger
from host.providers import Asker, PluginBlobs, ProviderRegistry, try_provider
from host.settings import SettingsStore
from plugin_sdk import (
    Blobs,
    NotFound,
    Permission,
    Problem,
    ProviderEntry,
    ProviderUnavailable,
)
from plugin_sdk.data import ScopeKind
from plugin_sdk.management import (
    ApiCatalog,
    DeprecatedUse,
    DiagnosticsAnswer,
    Holding,
    HostInfo,
    HostNames,
    InstallPlan,
    LogLevel,
    PluginDataReader,
    PluginEntry,
    PluginManagement,
    ProviderManagement,
    PublishedRoute,
    SettingsManagement,
    SettingSource,
)

__all__ = ["Api", "DataReader", "Info", "Names", "Plugins", "ProvidersManaged", "SettingsManaged"]


class Plugins(PluginManagement):
    """``host.plugins``."""

    def __init__(
        self,
        manager: PluginManager,
        installer: Installer,
        purger: Purger,
        deprecations: DeprecationLog,
    ) -> None:
        self._manager = manager
        self._installer = installer
        self._purger = purger
        self._deprecations = deprecations

    def entries(self) -> Sequence[PluginEntry]:
        return self._manager.entries()

    def entry(self, plugin_id: str) -> PluginEntry:
        return self._manager.entry(plugin_id)

    def enable(self, plugin_id: str) -> PluginEntry:
        return self._manager.enable(plugin_id)

    def disable(self, plugin_id: str) -> PluginEntry:
        return self._manager.disable(plugin_id)

    def switched(self, plugin_id: str) -> int:
        wish = self._manager.wishes.get(plugin_id)
        return 0 if wish is None else wish.version

    def purge(self, plugin_id: str, scope: Literal["data", "all"] = "data") -> None:
        self._purger.purge(plugin_id, scope)

    def holdings(self, plugin_id: str) -> Sequence[Holding]:
        return self._purger.holdings(plugin_id)

    def inspect(self, source: Path) -> InstallPlan:
        return self._installer.inspect(source)

    def install(self, source: Path, *, accept_additions: bool = False) -> PluginEntry:
        return self._installer.install(source, accept_additions=accept_additions)

    def reload(self, plugin_id: str) -> PluginEntry:
        return self._installer.reload(plugin_id)

    def uninstall(self, plugin_id: str, *, purge: bool = False) -> None:
        if purge:
            self._installer.uninstall(plugin_id, lambda: self._purger.purge(plugin_id, "all"))
        else:
            self._installer.uninstall(plugin_id)

    def permissions(self) -> Sequence[Permission]:
        return self._manager.permissions()

    def deprecations(self, plugin_id: str | None = None) -> Sequence[DeprecatedUse]:
        return self._deprecations.entries(plugin_id)

    def diagnostics(self, timeout: float = 5.0) -> Mapping[str, DiagnosticsAnswer]:
        return ask_for_diagnostics(self._manager.catalog, timeout)

    def configure(self, *, setup_timeout: float, drain: float, quarantine_failures: int) -> None:
        limits = self._manager.limits
        limits.setup_timeout, limits.drain = setup_timeout, drain
        limits.quarantine_failures = quarantine_failures


class ProvidersManaged(ProviderManagement):
    """``host.providers``."""

    def __init__(
        self, registry: ProviderRegistry, chosen: Callable[[str, str], object], asker: Asker
    ) -> None:
        self._registry = registry
        self._chosen = chosen
        self._asker = asker

    def entries(self) -> Mapping[str, Sequence[ProviderEntry]]:
        return self._registry.listing()

    def choose(self, type: str, name: str) -> Sequence[ProviderEntry]:
        self._registry.choose(type, name)
        self._chosen(type, name)
        return self._registry.entries(type)

    def test(self, type: str, name: str) -> str:
        try:
            implementation = self._registry.get(type, name)
        except ProviderUnavailable:
            raise NotFound(f'There is no {type} provider "{name}".') from None
        return try_provider(type, implementation, self._asker)


class SettingsManaged(SettingsManagement):
    """``host.settings``."""

    def __init__(self, store: SettingsStore, manager: PluginManager) -> None:
        self._store = store
        self._manager = manager

    def schema(self, plugin_id: str) -> Mapping[str, Any] | None:
        self._known(plugin_id)
        manifest = self._manager.register.record(plugin_id).manifest
        return manifest.settings if manifest else None

    def shown(self, plugin_id: str) -> Mapping[str, Any]:
        self._known(plugin_id)
        return self._store.shown(plugin_id)

    def values(self, plugin_id: str) -> Mapping[str, Any]:
        self._known(plugin_id)
        return self._store.effective(plugin_id)

    def replace(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        self._known(plugin_id)
        return self._store.replace(plugin_id, values)

    def update(self, plugin_id: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        self._known(plugin_id)
        return self._store.update(plugin_id, changes)

    def replace_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        for plugin_id in documents:
            self._known(plugin_id)
        self._store.replace_all(documents)

    def problems(
        self, plugin_id: str, values: Mapping[str, Any], *, partial: bool = False
    ) -> Sequence[Problem]:
        self._known(plugin_id)
        return self._store.problems(plugin_id, values, partial=partial)

    def pinned(self, plugin_id: str) -> frozenset[str]:
        self._known(plugin_id)
        return self._store.pinned_names(plugin_id)

    def sources(self, plugin_id: str) -> Mapping[str, SettingSource]:
        self._known(plugin_id)
        return self._store.sources(plugin_id)

    def _known(self, plugin_id: str) -> None:
        self._manager.register.look()
        self._manager.register.record(plugin_id)


class Api(ApiCatalog):
    """``host.api``."""

    def __init__(
        self, catalog: Callable[[], Catalog], host_routes: Sequence[PublishedRoute]
    ) -> None:
        self._catalog = catalog
        self._host_routes = tuple(host_routes)

    @property
    def version(self) -> int:
        return self._catalog().version

    def routes(self) -> Sequence[PublishedRoute]:
        found = list(self._host_routes)
        for published in self._catalog().plugins.values():
            plugin_id = published.plugin_id
            found += [
                PublishedRoute(plugin_id, each.path, each.route) for each in published.endpoints
            ]
            found += [
                PublishedRoute(plugin_id, each.path, each.route) for each in published.websockets
            ]
        return found


class DataReader(PluginDataReader):
    """``host.data``."""

    def __init__(self, engine: Engine, providers: ProviderRegistry) -> None:
        self._engine = engine
        self._providers = providers

    def get(self, plugin_id: str, scope: ScopeKind, scope_id: str, key: str) -> str | None:
        if not is_plugin_id(plugin_id):
            return None
        try:
            database = self._engine.open(plugin_id, create=False)
        except NotFound:
            return None
        return read_value(database, scope, scope_id, key)

    def tables(self, plugin_id: str) -> Mapping[str, int]:
        if not is_plugin_id(plugin_id) or not self._engine.exists(plugin_id):
            return {}
        database = self._engine.open(plugin_id)
        return {name: database.table(name).count_where() for name in sorted(database.tables())}

    def export(self, plugin_id: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        if not is_plugin_id(plugin_id) or not self._engine.exists(plugin_id):
            return
        database = self._engine.open(plugin_id)
        with database.snapshot():
            yield "", key_values(database)
            for name in sorted(database.tables()):
                yield name, database.iterate(f'SELECT * FROM "{name}"')  # noqa: S608  # its own

    def blobs(self, plugin_id: str) -> Blobs:
        providers = self._providers
        return PluginBlobs(plugin_id, lambda: providers.active("storage"), providers.faults)

    def sizes(self, plugin_id: str) -> Mapping[str, int]:
        if plugin_id == "host":
            return {"keys": 0, "bytes": self._engine.size("host")}
        if not is_plugin_id(plugin_id) or not self._engine.exists(plugin_id):
            return {"keys": 0, "bytes": 0}
        database = self._engine.open(plugin_id)
        keys = 0
        if database.table("_stagebox_data").exists():
            keys = int(database.value("SELECT count(*) FROM _stagebox_data"))
        return {"keys": keys, "bytes": self._engine.size(plugin_id)}


class Names(HostNames):
    """``host.names``."""

    def __init__(self, configured: Collection[str]) -> None:
        self._configured = frozenset(name.lower() for name in configured)
        self.allowed = self._configured

    def allow(self, names: Collection[str]) -> None:
        self.allowed = self._configured | {name.lower() for name in names}


class Info(HostInfo):
    """``host.info``."""

    def __init__(
        self,
        *,
        version: str,
        started_at: int,
        data_dir: Path,
        log_file: Path,
        logs: HostLogs,
        build: Mapping[str, str | None],
        listeners: Callable[[], Sequence[str]],
        exposed: Callable[[], bool],
        websocket_url: Callable[[], str | None],
        others: Callable[[], int],
        life: Life,
    ) -> None:
        self._life = life
        self._version = version
        self._started_at = started_at
        self._data_dir = data_dir
        self._log_file = log_file
        self._logs = logs
        self._build = dict(build)
        self._listeners = listeners
        self._exposed = exposed
        self._websocket_url = websocket_url
        self._others = others

    @property
    def version(self) -> str:
        return self._version

    @property
    def started_at(self) -> int:
        return self._started_at

    @property
    def life(self) -> str:
        return self._life.id

    @property
    def outlived(self) -> bool:
        return self._life.outlived

    @property
    def data_dir(self) -> Path:
        return self._data_dir

    def listeners(self) -> Sequence[str]:
        return self._listeners()

    def others(self) -> int:
        return self._others()

    def exposed(self) -> bool:
        return self._exposed()

    def websocket_url(self) -> str | None:
        return self._websocket_url()

    def build(self) -> Mapping[str, str | None]:
        return self._build

    def log_lines(self, limit_bytes: int) -> Iterator[bytes]:
        return log_tail(self._log_file, limit_bytes)

    def keep_log(self, level: LogLevel | None) -> None:
        self._logs.keep(level)

    def follow_log(
        self, level: LogLevel, call: Callable[[Mapping[str, Any]], object]
    ) -> Callable[[], None]:
        return self._logs.follow(level, call)
