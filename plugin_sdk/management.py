"""Services of the host for plugins that manage it: the admin's routes, documentation, diagnostics.

They are handed out by ``context.services.get(name)`` to bundled plugins only:

* ``host.plugins``: `PluginManagement`
* ``host.providers``: `ProviderManagement`
* ``host.settings``: `SettingsManagement`
* ``host.api``: `ApiCatalog`
* ``host.data``: `PluginDataReader`
* ``host.audit``: `AuditTrail`
* ``host.info``: `HostInfo`
* ``host.names``: `HostNames`
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from plugin_sdk.access import Permission
from plugin_sdk.blobs import Blobs
from plugin_sdk.data import ScopeKind
from plugin_sdk.errors import Problem
from plugin_sdk.plugin_entries import (
    DeprecatedUse,
    DiagnosticsAnswer,
    Holding,
    InstallPlan,
    PluginConflict,
    PluginEntry,
    PluginFault,
    PluginState,
)
from plugin_sdk.providers import ProviderEntry
from plugin_sdk.routes import Route, WebSocketRoute

__all__ = [
    "ApiCatalog",
    "AuditEntry",
    "AuditTrail",
    "DeprecatedUse",
    "DiagnosticsAnswer",
    "Holding",
    "HostInfo",
    "HostNames",
    "InstallPlan",
    "LogLevel",
    "PluginConflict",
    "PluginDataReader",
    "PluginEntry",
    "PluginFault",
    "PluginManagement",
    "PluginState",
    "ProviderManagement",
    "PublishedRoute",
    "SettingSource",
    "SettingsManagement",
]

LogLevel = Literal["error", "warn", "info", "http", "debug"]
SettingSource = Literal["default", "stored", "file"]
"""The schema; a change over HTTP or the command line; the operator's file stagebox.toml."""


class PluginManagement(Protocol):
    """``host.plugins``. All methods may be called from a request; changes are made one at a
    time, and no other plugin's request waits for them."""

    def entries(self) -> Sequence[PluginEntry]:
        """Every found plugin, by id; looks for new folders first."""
        ...

    def entry(self, plugin_id: str) -> PluginEntry:
        """Raises NotFound."""
        ...

    def enable(self, plugin_id: str) -> PluginEntry:
        """Stores the wish and tries; the entry tells how it went. Raises NotFound."""
        ...

    def disable(self, plugin_id: str) -> PluginEntry:
        """Raises NotFound; Conflict with code PROTECTED_PLUGIN, HAS_DEPENDENTS or
        PROVIDER_IN_USE."""
        ...

    def switched(self, plugin_id: str) -> int:
        """A number that grows each time somebody switches the plugin on or off, the same in all
        processes at once, also in one that has not followed yet; 0 when nobody ever did."""
        ...

    def purge(self, plugin_id: str, scope: Literal["data", "all"] = "data") -> None:
        """Removes what the plugin keeps. Raises NotFound; Conflict with code PLUGIN_ACTIVE or
        PROTECTED_PLUGIN for ``all``; ProviderUnavailable when the storage fails, so that files of
        the plugin are left: its database and settings are then, too."""
        ...

    def holdings(self, plugin_id: str) -> Sequence[Holding]:
        """What `purge` with ``all`` would remove, and ``code`` that `uninstall` would. Raises
        NotFound for an id that is unknown and has no data."""
        ...

    def inspect(self, source: Path) -> InstallPlan:
        """Reads a plugin folder, or a ZIP or wheel that holds one; runs nothing. Raises Invalid
        with what is wrong."""
        ...

    def install(self, source: Path, *, accept_additions: bool = False) -> PluginEntry:
        """Copies a plugin folder into the data directory. A version that is active is upgraded
        live, and stays as it was when the new one fails. Raises Invalid; Conflict with code
        CONFIRMATION_NEEDED when it declares more than the installed one and
        ``accept_additions`` is not set, DEPENDENCY_CONFLICT when a Python package that it requires
        is not there or is another version, UPGRADE_FAILED when the old version was put back."""
        ...

    def reload(self, plugin_id: str) -> PluginEntry:
        """Upgrades an active plugin to what its folder holds now; see `install`."""
        ...

    def uninstall(self, plugin_id: str, *, purge: bool = False) -> None:
        """Disables it and removes its code; its data stay unless ``purge``. Raises Conflict for
        one that did not come by `install`."""
        ...

    def permissions(self) -> Sequence[Permission]:
        """The core permissions in order, then those of active plugins by name."""
        ...

    def deprecations(self, plugin_id: str | None = None) -> Sequence[DeprecatedUse]:
        """Deprecated calls that plugins made, by plugin and name: what the next version of the
        host may no longer have."""
        ...

    def diagnostics(self, timeout: float = 5.0) -> Mapping[str, DiagnosticsAnswer]:
        """Asks the ``diagnostics`` hook of every active plugin, at most four at a time; one that
        takes longer than ``timeout`` seconds, or raises, is answered for with an ``error``."""
        ...

    def configure(self, *, setup_timeout: float, drain: float, quarantine_failures: int) -> None:
        """Limits of the host over plugins: seconds for one start or teardown, seconds that a
        switched-off plugin's calls may take to end, failures within a minute that quarantine
        (0: never). They hold for plugins that are started from now on."""
        ...


class ProviderManagement(Protocol):
    """``host.providers``."""

    def entries(self) -> Mapping[str, Sequence[ProviderEntry]]:
        """Providers of active plugins by type; ``storage`` and ``metadata`` are always there."""
        ...

    def choose(self, type: str, name: str) -> Sequence[ProviderEntry]:
        """Stores the choice and applies it; raises NotFound for an unknown type or name."""
        ...

    def test(self, type: str, name: str) -> str:
        """Tries a provider, and says in a sentence what was tried. An implementation may have a
        method ``test() -> str``; those of the host's types are tried by what their type promises
        (storage keeps, reads and forgets a blob). Raises NotFound; Invalid for one that cannot
        be tried; what the provider raises as ProviderUnavailable."""
        ...


class SettingsManagement(Protocol):
    """``host.settings``: settings of plugins, whatever their state."""

    def schema(self, plugin_id: str) -> Mapping[str, Any] | None:
        """Raises NotFound for an unknown plugin."""
        ...

    def shown(self, plugin_id: str) -> Mapping[str, Any]:
        """Effective values, secrets masked as ``********``."""
        ...

    def values(self, plugin_id: str) -> Mapping[str, Any]:
        """Effective values, secrets in clear."""
        ...

    def replace(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replaces the stored document; absent keys go back to their default, ``********`` keeps
        a secret. Raises Invalid with details, Conflict for a value pinned by the operator.
        Returns what `shown` shows."""
        ...

    def update(self, plugin_id: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `replace`, but for some keys; None returns one to its default."""
        ...

    def replace_all(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """As `replace`, for several plugins in one transaction: all of them, or none when one is
        refused."""
        ...

    def problems(
        self, plugin_id: str, values: Mapping[str, Any], *, partial: bool = False
    ) -> Sequence[Problem]:
        """What makes `replace` (``partial``: `update`) raise Invalid, without storing anything;
        empty when nothing does. For those who have checks of their own beside these."""
        ...

    def pinned(self, plugin_id: str) -> frozenset[str]:
        """Names that the operator's file decides."""
        ...

    def sources(self, plugin_id: str) -> Mapping[str, SettingSource]:
        """Where the value of each property in force comes from."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedRoute:
    """A route of an active plugin (or of the host: plugin id ``host``) with its full path."""

    plugin_id: str
    path: str
    route: Route | WebSocketRoute


class ApiCatalog(Protocol):
    """``host.api``: what this host answers right now."""

    @property
    def version(self) -> int:
        """Grows whenever the routes change."""
        ...

    def routes(self) -> Sequence[PublishedRoute]:
        """Those of the host and of all active plugins."""
        ...


class PluginDataReader(Protocol):
    """``host.data``: what any plugin keeps, also one that is off or gone."""

    def get(self, plugin_id: str, scope: ScopeKind, scope_id: str, key: str) -> str | None:
        """The stored JSON text, or None when there is nothing."""
        ...

    def sizes(self, plugin_id: str) -> Mapping[str, int]:
        """``keys``, ``bytes`` (of the database), for a plugin with or without data; ``host`` stands
        for the host itself."""
        ...

    def tables(self, plugin_id: str) -> Mapping[str, int]:
        """Its own tables by name, with the number of rows; without data, none."""
        ...

    def export(self, plugin_id: str) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        """All that its database holds, in one state, in constant memory: first ``""`` with the keys
        and values (``scope``, ``scopeId``, ``key``, ``value``), then each table with its rows.
        Each must be read before the next; bytes are bytes."""
        ...

    def blobs(self, plugin_id: str) -> Blobs:
        """Its area of the active storage."""
        ...


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was changed by permission: who, what, when (milliseconds since the epoch)
    and from where. ``action`` is a request's method and path, or a command line; ``peer`` is the
    socket's other end, empty for a command. Values that were sent are not kept."""

    id: int
    at: int
    principal_id: str
    principal_name: str
    action: str
    summary: str
    plugin_id: str
    peer: str


class AuditTrail(Protocol):
    """``host.audit``."""

    def entries(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """Newest first, from behind the id ``before``; at most 1,000."""
        ...


class HostNames(Protocol):
    """``host.names``: which Host headers this host answers to, beside its own names and those of
    the operator's configuration."""

    def allow(self, names: Collection[str]) -> None:
        """From the next request on these too, whatever their port and case; replaces what was
        given before."""
        ...


class HostInfo(Protocol):
    """``host.info``."""

    @property
    def version(self) -> str: ...
    @property
    def started_at(self) -> int:
        """Milliseconds since the epoch."""
        ...

    @property
    def life(self) -> str:
        """Names one life of the service: from when a process began to serve while no other did,
        until the last one has ended. The same in all processes on the database."""
        ...

    @property
    def outlived(self) -> bool:
        """Whether this process stops while others go on: what is everybody's is theirs then."""
        ...

    @property
    def data_dir(self) -> Path: ...
    def listeners(self) -> Sequence[str]:
        """Addresses listened on, as URLs; of the last `serve` when none is running here."""
        ...

    def others(self) -> int:
        """Processes beside this one that serve on the same database, on any machine."""
        ...

    def exposed(self) -> bool:
        """Whether a listener is bound to an address that is not loopback."""
        ...

    def websocket_url(self) -> str | None:
        """Where WebSockets are, as a URL, when that is another port than HTTP's."""
        ...

    def build(self) -> Mapping[str, str | None]:
        """``gitSha``, ``buildDate``, ``sourceUrl``, ``licenseUrl``."""
        ...

    def log_lines(self, limit_bytes: int) -> Iterator[bytes]:
        """The end of the server log."""
        ...

    def keep_log(self, level: LogLevel | None) -> None:
        """The server log keeps records of this level and above from now on, in this process,
        whatever standard error gets; None: of the level that the operator chose. At ``http``
        every request leaves a line. Who sets it takes it back when it is disabled."""
        ...

    def follow_log(
        self, level: LogLevel, call: Callable[[Mapping[str, Any]], object]
    ) -> Callable[[], None]:
        """Calls ``call`` with every record of the level and above, as the JSON object of its line
        (``time``, ``level``, ``logger``, ``message``, and ``plugin``, ``request``, ``incident``,
        ``trace``, of a request also ``method``, ``path``, ``status``, ``ms``, ``bytes``,
        ``peer``), secrets redacted. The result ends it, and so does a ``call`` that raises.

        It runs on the thread that writes the log, so be quick. It is not told of records that it
        writes itself, nor of those of what carries realtime messages."""
        ...
