"""The SQLite engine: one file for the host, one for each plugin."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from host.db.engine import Engine, HostDatabase
from host.db.names import HOST, check_database_name
from host.db.signals import Signals
from host.db.sqlite.connections import Options
from host.db.sqlite.database import SqliteDatabase
from host.db.sqlite.sessions import Sessions
from host.db.sqlite.signals import SqliteSignals
from host.db.statements import Statements
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound

__all__ = ["SqliteEngine"]

_FILE: Final = "plugin.db"
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
_OLDEST: Final = (3, 37, 0)  # trigrams, RETURNING, ALTER TABLE DROP COLUMN
_MAX_CONNECTIONS: Final = 64


class SqliteEngine(Engine):
    """``host`` is ``<data_dir>/host.db``, a plugin ``<data_dir>/plugins/<id>/plugin.db``.

    With durability ``full`` a write is on the disk when it returns; with ``normal`` it survives
    the end of the process, but not always that of the machine.
    ``busy_seconds`` is how long a write waits for one of another process.
    ``max_connections`` are kept open over all databases while nobody uses them; two file
    descriptors and about 0.1 MB each.
    """

    def __init__(
        self,
        data_dir: Path,
        durability: Literal["full", "normal"] = "full",
        *,
        busy_seconds: float = 10.0,
        max_connections: int = _MAX_CONNECTIONS,
    ) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            wanted = ".".join(map(str, _OLDEST))
            raise DatabaseUnavailable(f"SQLite {sqlite3.sqlite_version} is older than {wanted}.")
        if durability not in ("full", "normal"):
            raise Invalid(f'Durability is "full" or "normal", not {str(durability)[:40]!r}.')
        _register_converters()
        self._data_dir = data_dir
        self._options = Options(durability, busy_seconds)
        self._statements = Statements()
        self._lock = threading.RLock()
        self._databases: dict[str, SqliteDatabase] = {}
        self._budget = ConnectionBudget(max_connections)
        self._closed = False

    @property
    def name(self) -> Literal["sqlite"]:
        return "sqlite"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return self._budget.open

    def open(self, name: str, *, create: bool = True) -> HostDatabase:
        found = self._databases.get(name)
        if found is None or found.shut or found.orphaned:
            found = self._add(name)
        if not create and not self.exists(name):
            raise NotFound(f"{name} has no database.")
        return found

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def names(self) -> list[str]:
        found = (path.parent.name for path in (self._data_dir / "plugins").glob(f"*/{_FILE}"))
        return sorted(name for name in found if _is_name(name))

    def drop(self, name: str) -> None:
        path = self.path(name)
        with self._lock:
            database = self._databases.get(name)
            if database is not None:
                database.close()
                del self._databases[name]
                self._budget.forget(database)
            for suffix in _COMPANIONS:
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            if name != HOST and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def size(self, name: str) -> int:
        path = self.path(name)
        total = 0
        for suffix in _COMPANIONS:
            try:
                total += path.with_name(path.name + suffix).stat().st_size
            except FileNotFoundError:
                continue
        return total

    def path(self, name: str) -> Path:
        """Where the file of a database lies, or would lie."""
        check_database_name(name)
        if name == HOST:
            return self._data_dir / "host.db"
        return self._data_dir / "plugins" / name / _FILE

    def signals(self) -> Signals:
        return SqliteSignals(self._data_dir)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for database in self._databases.values():
                database.close()

    def _add(self, name: str) -> SqliteDatabase:
        path = self.path(name)
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("The databases are closed.")
            found = self._databases.get(name)
            if found is None or found.shut or found.orphaned:
                if found is not None:
                    if not found.shut:
                        found.close()
                    self._budget.forget(found)
                found = SqliteDatabase(name, path, self._options, self._statements, self._budget)
                self._databases[name] = found
                self._budget.add(found)
            return found


class ConnectionBudget:
    """Keeps few connections open over all databases, so that a hundred plugins stay affordable.

    Databases that were not read since the last look give their readers up first, then the
    others theirs, then the connections that write.
    """

    def __init__(self, limit: int) -> None:
        self.open = 0
        self._limit = limit
        # Reentrant: a stream that nobody holds any more is closed in the middle of anything.
        self._lock = threading.RLock()
        self._databases: list[Sessions] = []

    def add(self, database: Sessions) -> None:
        with self._lock:
            self._databases.append(database)

    def forget(self, database: Sessions) -> None:
        with self._lock:
            self._databases = [known for known in self._databases if known is not database]

    def opened(self, database: Sessions) -> None:
        with self._lock:
            self.open += 1
            if self.open <= self._limit:
                return
            others = [known for known in self._databases if known is not database]
        self._trim([known for known in others if not known.touched], writers=False)
        for other in others:
            other.touched = False
        self._trim(others, writers=False)
        self._trim(others, writers=True)  # last: to close one takes a checkpoint

    def _trim(self, databases: Sequence[Sessions], *, writers: bool) -> None:
        for database in databases:
            if self.open <= self._limit:
                return
            database.trim(writer=writers)

    def closed(self) -> None:
        with self._lock:
            self.open -= 1


def _is_name(name: str) -> bool:
    try:
        check_database_name(name)
    except Invalid:
        return False
    return True


def _register_converters() -> None:
    """What sqlite3 makes of columns by their declared type, on connections that ask for it.

    sqlite3 keeps converters for the whole process; these depend on nothing, so two hosts in one
    process do not notice each other.
    """
    for name in ("BOOLEAN", "BOOL"):
        sqlite3.register_converter(name, _boolean)
    sqlite3.register_converter("JSON", _json)


def _boolean(raw: bytes) -> bool:
    return raw not in (b"0", b"0.0", b"")


def _json(raw: bytes) -> Any:
    return json.loads(raw.decode())
