"""Deprecated calls that plugins made: counted while they run, kept in the host's database."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from host.db import HostDatabase
from plugin_sdk import Clock, Database, Deprecation, Logger, Migration
from plugin_sdk.management import DeprecatedUse

__all__ = ["MIGRATIONS", "DeprecationLog"]

_TABLE: Final = "_stagebox_deprecations"
_MAX_NAMES: Final = 200
"""Of one plugin: a name made up anew in each call must not fill the memory."""


def _create(db: Database) -> None:
    db.table(_TABLE).create(
        {
            "plugin_id": "text",
            "name": "text",
            "plugin_version": "text",
            "since": "text",
            "removed_in": "text",
            "instead": "text",
            "place": "text",
            "count": "integer",
            "first_seen": "integer",
            "last_seen": "integer",
        },
        pk=("plugin_id", "name"),
    )


MIGRATIONS: Final = (Migration("plugins_002_deprecations", _create),)


@dataclass(slots=True)
class _Fresh:
    """Uses that are not stored yet."""

    version: str
    use: Deprecation
    count: int
    first_seen: int
    last_seen: int


class DeprecationLog:
    """Counts in memory, so that a deprecated call in a loop costs no write each; `flush` adds what
    came to the table, which all processes share. The log hears of each name once."""

    def __init__(self, database: HostDatabase, clock: Clock, log: Logger) -> None:
        self._db = database
        self._clock = clock
        self._log = log
        self._storing = threading.Lock()
        """Held from taking what was counted until it is stored, or what is stored is removed."""
        self._lock = threading.Lock()
        self._fresh: dict[tuple[str, str], _Fresh] = {}
        self._told: dict[str, set[tuple[str, str]]] = {}

    def used(self, plugin_id: str, version: str, use: Deprecation) -> None:
        """Counts one use by a plugin of this version; called from any thread."""
        now = self._clock.ms()
        with self._lock:
            told = self._told.setdefault(plugin_id, set())
            first = (version, use.name) not in told
            if first and len(told) >= _MAX_NAMES:
                return
            told.add((version, use.name))
            fresh = self._fresh.setdefault((plugin_id, use.name), _Fresh(version, use, 0, now, now))
            fresh.version, fresh.use = version, use
            fresh.count += 1
            fresh.last_seen = now
        if first:
            self._log.warning("Plugin %s (%s:%d): %s", plugin_id, use.file, use.line, use)

    def flush(self) -> None:
        """Stores what was counted since the last time; nothing is lost when that fails."""
        with self._storing:
            self._store()

    def _store(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        try:
            with self._db.transaction():
                for (plugin_id, _), each in fresh.items():
                    self._add(plugin_id, each)
        except BaseException:
            with self._lock:
                for key, each in fresh.items():
                    later = self._fresh.setdefault(key, each)
                    if later is not each:
                        later.count += each.count
                        later.first_seen = each.first_seen
            raise

    def _add(self, plugin_id: str, fresh: _Fresh) -> None:
        table = self._db.table(_TABLE)
        before = table.get((plugin_id, fresh.use.name))
        if before is not None and before["plugin_version"] != fresh.version:
            before = None  # another version of the plugin: its uses are not those of this one
        use = fresh.use
        table.upsert(
            {
                "plugin_id": plugin_id,
                "name": use.name,
                "plugin_version": fresh.version,
                "since": use.since,
                "removed_in": use.removed_in,
                "instead": use.instead,
                "place": f"{use.file}:{use.line}",
                "count": fresh.count + (before["count"] if before else 0),
                "first_seen": before["first_seen"] if before else fresh.first_seen,
                "last_seen": fresh.last_seen,
            }
        )

    def entries(self, plugin_id: str | None = None) -> list[DeprecatedUse]:
        """By plugin and name; those of this process included."""
        self.flush()
        where = None if plugin_id is None else "plugin_id = :plugin_id"
        rows = self._db.table(_TABLE).rows_where(
            where,
            None if plugin_id is None else {"plugin_id": plugin_id},
            order_by="plugin_id, name",
        )
        return [DeprecatedUse(**row) for row in rows]

    def forget(self, plugin_id: str) -> int:
        """Removes what is known of a plugin; says how many rows that were."""
        with self._storing:
            with self._lock:
                self._told.pop(plugin_id, None)
                for key in [key for key in self._fresh if key[0] == plugin_id]:
                    del self._fresh[key]
            return self._db.table(_TABLE).delete_where(
                "plugin_id = :plugin_id", {"plugin_id": plugin_id}
            )
