"""Where settings of all plugins are kept, checked and read."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from host.db import HostDatabase
from host.errors import ConfigurationError
from host.settings.document import Change, SettingsDocument
from host.settings.view import NamesCallback, PluginSettings
from plugin_sdk import Database, Logger, Migration, NotFound, Problem, dump_json
from plugin_sdk.management import SettingSource

__all__ = ["MIGRATIONS", "SettingsStore"]

_TABLE: Final = "_stagebox_settings"
_Rows = Mapping[str, str]
_EMPTY: Final[_Rows] = MappingProxyType({})
_Values = Mapping[str, Any]
ChangeCallback = Callable[[str, frozenset[str]], object]


def _create(db: Database) -> None:
    db.table(_TABLE).create(
        {"plugin_id": "text", "key": "text", "value": "text"}, pk=("plugin_id", "key")
    )


MIGRATIONS: Final = (Migration("settings_001_values", _create),)


class SettingsStore:
    """Settings by plugin: the schema's default, then what was stored, then what the file pins.

    Each value is a row of its own, and a change reads, checks and writes in one transaction, so
    two changes of different keys at once both take effect. Reading is one look-up while nothing
    changes. ``pinned`` are the tables ``[plugins.<id>]`` of stagebox.toml.
    """

    def __init__(
        self,
        database: HostDatabase,
        pinned: Mapping[str, Mapping[str, Any]],
        *,
        log: Logger | None = None,
    ) -> None:
        self._db = database
        self._pinned = pinned
        self._log = log or logging.getLogger("stagebox.settings")
        self._lock = threading.Lock()
        self._documents: dict[str, SettingsDocument] = {}
        self._snapshots: dict[str, Mapping[str, Any]] = {}
        self._rows: dict[str, _Rows] | None = None
        self._opened = False
        self._on_store: tuple[ChangeCallback, ...] = ()
        self._callbacks: tuple[ChangeCallback, ...] = ()
        self._watchers: tuple[tuple[str, NamesCallback], ...] = ()

    def define(self, plugin_id: str, schema: Mapping[str, Any] | None) -> None:
        """Makes a plugin known, or gives it another schema (a checked one). Stored values that
        do not fit it stay stored, but are not in force."""
        with self._lock:
            known = self._documents.get(plugin_id)
            if known is not None and known.given_schema == schema:
                return
            self._documents[plugin_id] = SettingsDocument(schema, self._pinned_for(plugin_id))
            self._snapshots.pop(plugin_id, None)

    def check(self, plugin_id: str) -> None:
        """Raises ConfigurationError when the file pins what does not fit the plugin's schema;
        such values are not in force."""
        found = self._document(plugin_id).pinned_problems
        if found:
            listed = "; ".join(
                problem.message if not problem.path else f"{problem.path}: {problem.message}"
                for problem in found
            )
            raise ConfigurationError(
                f"stagebox.toml: [plugins.{plugin_id}] does not fit the settings of that "
                f"plugin: {listed}",
                key=f"plugins.{plugin_id}.{found[0].path}",
            )

    def effective(self, plugin_id: str) -> Mapping[str, Any]:
        """Every property with its value, None without one, secrets in clear; an unchanging
        snapshot (do not change lists and objects in it). Raises NotFound."""
        try:
            return self._snapshots[plugin_id]
        except KeyError:
            return self._current(plugin_id)

    def shown(self, plugin_id: str) -> dict[str, Any]:
        """Every property with its value, secrets as ``********`` or None. Raises NotFound."""
        return self._document(plugin_id).shown(self._current(plugin_id))

    def pinned_names(self, plugin_id: str) -> frozenset[str]:
        """Names that the operator's file decides. Raises NotFound."""
        return frozenset(self._document(plugin_id).pinned)

    def sources(self, plugin_id: str) -> dict[str, SettingSource]:
        """Where the value of each property in force comes from. Raises NotFound."""
        document = self._document(plugin_id)
        stored = document.fitting(self._stored(plugin_id))[0]
        return document.sources(stored)

    def replace(self, plugin_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces all that is stored for a plugin; returns what `shown` shows.

        Raises NotFound; Invalid with every problem; Conflict for another value than a pinned
        one. Nothing is stored then."""
        return self.replace_all({plugin_id: values})[plugin_id]

    def replace_all(self, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """`replace` for several plugins, all or none."""
        self._load()
        with self._db.transaction():
            for plugin_id, values in documents.items():
                document, stored = self._document(plugin_id), self._stored(plugin_id)
                self._write(plugin_id, stored, document.replacement(values, stored))
        return {plugin_id: self.shown(plugin_id) for plugin_id in documents}

    def update(self, plugin_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Stores some values, None returns one to its default; else as `replace`."""
        self._load()
        with self._db.transaction():
            document, stored = self._document(plugin_id), self._stored(plugin_id)
            self._write(plugin_id, stored, document.update(changes, stored))
        return self.shown(plugin_id)

    def problems(self, plugin_id: str, values: _Values, *, partial: bool) -> list[Problem]:
        """Why `replace` (``partial``: `update`) would raise Invalid. Raises NotFound."""
        document, stored = self._document(plugin_id), self._stored(plugin_id)
        return document.problems(values, stored, partial=partial)

    def forget(self, plugin_id: str) -> None:
        """Removes what is stored for a plugin, also for one that is gone."""
        self._load()
        with self._db.transaction():
            stored = self._stored(plugin_id)
            self._write(plugin_id, stored, Change({}, frozenset(stored)))

    def for_plugin(self, plugin_id: str) -> PluginSettings:
        """``context.settings``; close it when the plugin is switched off."""
        return PluginSettings(self, plugin_id)

    def on_store(self, callback: ChangeCallback) -> None:
        """Calls back with plugin id and names inside the transaction of each change made here,
        so that what it emits or notes is stored with the change or not at all."""
        with self._lock:
            self._on_store = (*self._on_store, callback)

    def on_change(self, callback: ChangeCallback) -> None:
        """Calls back with plugin id and changed names once a change is in force, whichever
        process made it."""
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

    def watch(self, plugin_id: str, callback: NamesCallback) -> Callable[[], None]:
        """As `on_change` for one plugin, until the returned function is called."""
        entry = (plugin_id, callback)

        def stop() -> None:
            with self._lock:
                self._watchers = tuple(each for each in self._watchers if each is not entry)

        with self._lock:
            self._watchers = (*self._watchers, entry)
        return stop

    def reload(self) -> None:
        """Another process may have written: reads all anew and calls back for what changed."""
        with self._lock:
            known = self._rows is not None
        if known:
            self._reread(None)

    def _document(self, plugin_id: str) -> SettingsDocument:
        try:
            return self._documents[plugin_id]
        except KeyError:
            raise NotFound(f"There is no plugin {plugin_id}.") from None

    def _pinned_for(self, plugin_id: str) -> Mapping[str, Any]:
        found = self._pinned.get(plugin_id)
        if found is None and "." in plugin_id:
            # [plugins.example.soundboard] without quotes is a table in a table.
            node: Any = self._pinned
            for part in plugin_id.split("."):
                node = node.get(part) if isinstance(node, Mapping) else None
            found = node if isinstance(node, Mapping) else None
        return found or _EMPTY

    def _current(self, plugin_id: str) -> Mapping[str, Any]:
        document = self._document(plugin_id)
        if self._db.in_transaction:
            # What is not committed yet is for this thread alone.
            return self._computed(plugin_id, document, _texts(self._stored(plugin_id)), quiet=True)
        with self._lock:
            return self._snapshot(plugin_id)

    def _snapshot(self, plugin_id: str, rows: dict[str, _Rows] | None = None) -> _Values:
        """Under the lock."""
        known = self._snapshots.get(plugin_id)
        if known is not None:
            return known
        if rows is None:
            rows = self._rows = self._rows if self._rows is not None else self._read(None)
        own = rows.get(plugin_id, _EMPTY)
        # Asked for again here: `define` may have been faster.
        computed = self._computed(plugin_id, self._document(plugin_id), own)
        self._snapshots[plugin_id] = computed
        return computed

    def _computed(
        self, plugin_id: str, document: SettingsDocument, rows: _Rows, *, quiet: bool = False
    ) -> Mapping[str, Any]:
        values, found = document.fitting(_parsed(rows))
        if not quiet:
            for problem in found:
                self._log.warning(
                    "A stored setting of plugin %s does not fit its schema, so its default is "
                    "used: %s %s",
                    plugin_id,
                    problem.path,
                    problem.message,
                )
            for problem in document.pinned_problems:
                self._log.error(
                    "stagebox.toml: [plugins.%s] %s %s; this value is not in force.",
                    plugin_id,
                    problem.path,
                    problem.message,
                )
        return document.effective(values)

    def _stored(self, plugin_id: str) -> dict[str, Any]:
        return _parsed(self._read(plugin_id).get(plugin_id, _EMPTY))

    def _open(self) -> None:
        """Makes the table when the store is first used, so that a host that is only looked at
        writes nothing."""
        if not self._opened:
            self._db.migrate(MIGRATIONS)
            self._opened = not self._db.in_transaction  # that one may still be rolled back

    def _load(self) -> None:
        """Before a change: what was in force is known, so that the difference can be told."""
        self._open()
        with self._lock:
            if self._rows is None:
                self._rows = self._read(None)

    def _read(self, plugin_id: str | None) -> dict[str, _Rows]:
        """Rows by plugin, of one or of all."""
        self._open()
        where = None if plugin_id is None else "plugin_id = :id"
        rows: dict[str, dict[str, str]] = {}
        for row in self._db.table(_TABLE).rows_where(where, {"id": plugin_id} if where else None):
            rows.setdefault(row["plugin_id"], {})[row["key"]] = row["value"]
        return dict(rows)

    def _write(self, plugin_id: str, stored: _Values, change: Change) -> None:
        before, after = _texts(stored), _texts(change.stored)
        table = self._db.table(_TABLE)
        changed = {key: text for key, text in after.items() if before.get(key) != text}
        gone = {key for key in change.removed if key in before}
        for key, text in changed.items():
            table.upsert({"plugin_id": plugin_id, "key": key, "value": text})
        for key in gone:
            table.delete((plugin_id, key))
        if changed or gone:
            for callback in self._on_store:
                callback(plugin_id, frozenset(gone | changed.keys()))
            self._db.after_commit(lambda: self._reread(plugin_id))

    def _reread(self, plugin_id: str | None) -> None:
        """Puts what is stored now in force, of one plugin or of all, and tells who wants to
        know."""
        self._open()
        with self._lock:
            known = self._rows or {}
            fresh = self._read(plugin_id)
            if plugin_id is not None:
                fresh = {**known, plugin_id: fresh.get(plugin_id, _EMPTY)}
            changes = []
            for each in self._documents:
                if known.get(each, _EMPTY) != fresh.get(each, _EMPTY):
                    before = self._snapshot(each, known)
                    del self._snapshots[each]
                    names = _difference(before, self._snapshot(each, fresh))
                    changes.append((each, names))
            self._rows = fresh
            callbacks, watchers = self._callbacks, self._watchers
        for changed_id, names in changes:
            if names:
                self._tell(changed_id, names, callbacks, watchers)

    def _tell(
        self,
        plugin_id: str,
        names: frozenset[str],
        callbacks: Iterable[ChangeCallback],
        watchers: Iterable[tuple[str, NamesCallback]],
    ) -> None:
        for callback in callbacks:
            self._call("The host's callback", callback, plugin_id, names)
        for owner, watcher in watchers:
            if owner == plugin_id:
                self._call(f"Plugin {owner}'s callback", watcher, names)

    def _call(self, who: str, callback: Callable[..., object], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except (Exception, SystemExit) as error:  # a plugin's code: nobody else may suffer
            self._log.error("%s on a changed setting failed.", who, exc_info=error)


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        name
        for name in {*before, *after}
        if name not in before or name not in after or not _equal(before[name], after[name])
    )


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: dump_json(value) for name, value in values.items()}


def _parsed(rows: _Rows) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in rows.items()}
