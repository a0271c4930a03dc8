"""Signals between processes of one machine: a small file of its own, which everybody looks at.

Not a socket: there is nobody to accept connections, nothing to clean up after a process that was
killed, and no other user of the machine who could speak on a port. The file has nothing to do with
the data: it is neither synced to the disk nor backed up, and may be removed while nobody serves.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from host.db.signals import Signals
from host.db.sqlite.connections import identity
from plugin_sdk import DatabaseUnavailable

__all__ = ["FILE", "SqliteSignals"]

FILE: Final = "signals.db"
_LOOK_SECONDS: Final = 0.04
"""How often a listener looks: one look costs some microseconds and reads nothing from the disk."""
_KEEP_SECONDS: Final = 30.0
_MOST: Final = 4096
_BATCH: Final = 256
_BUSY_SECONDS: Final = 2.0

_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS signals"
    " (number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, text TEXT NOT NULL)"
)
_LAST: Final = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'signals'"
_NEXT: Final = "SELECT number, text FROM signals WHERE number > ? ORDER BY number LIMIT ?"
_TRIM: Final = (
    "DELETE FROM signals WHERE number <= (SELECT max(number) FROM signals) - ?"
    " OR number < (SELECT min(number) FROM signals WHERE at >= ?)"
)
_OLD: Final = "DELETE FROM signals WHERE at < ?"
_Result = TypeVar("_Result")


class SqliteSignals(Signals):
    """A table of the last texts in ``<data_dir>/signals.db``."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._woken = threading.Event()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._seen = 0
        self._version = -1

    def send(self, texts: Sequence[str]) -> None:
        self._attempt(lambda: self._write(texts), self._drop_writer)

    def receive(self, seconds: float) -> list[str]:
        return self._attempt(lambda: self._read(seconds), self._drop_reader)

    def wake(self) -> None:
        self._woken.set()

    def tidy(self) -> None:
        self._attempt(lambda: self._remove(_OLD, time.time() - _KEEP_SECONDS), self._drop_writer)

    def close(self) -> None:
        self._drop_reader()
        self._drop_writer()

    def _write(self, texts: Sequence[str]) -> None:
        if self._writer is None:
            self._writer = self._open()
        now = time.time()
        with self._writer as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = [(now, text) for text in texts]
            connection.executemany("INSERT INTO signals (at, text) VALUES (?, ?)", rows)
            connection.execute(_TRIM, (_MOST, now - _KEEP_SECONDS))

    def _remove(self, sql: str, *values: float) -> None:
        if self._writer is not None:
            with self._writer as connection:
                connection.execute(sql, values)

    def _read(self, seconds: float) -> list[str]:
        reader = self._reader
        if reader is None:
            reader = self._open()
            self._reader = reader
            self._seen = reader.execute(_LAST).fetchone()[0] if _has_sequence(reader) else 0
            self._version = -1
            return []
        deadline = time.monotonic() + seconds
        while True:
            found = self._look(reader)
            left = deadline - time.monotonic()
            if found or left <= 0 or self._woken.wait(min(left, _LOOK_SECONDS)):
                self._woken.clear()
                return found

    def _look(self, reader: sqlite3.Connection) -> list[str]:
        version = reader.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return []
        rows = reader.execute(_NEXT, (self._seen, _BATCH)).fetchall()
        if rows:
            self._seen = rows[-1][0]
        if len(rows) < _BATCH:
            self._version = version
        return [text for _, text in rows]

    def _open(self) -> sqlite3.Connection:
        """A connection; what a crash of the machine made of the file is thrown away."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = identity(self._path)
        try:
            return self._connect()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # "malformed", "not a database"
            if identity(self._path) == found:  # else another process was first: that one is new
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(FILE + suffix).unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_size_limit = 1048576")
            connection.execute(_CREATE)
        except BaseException:
            connection.close()
            raise
        return connection

    def _attempt(self, act: Callable[[], _Result], drop: Callable[[], object]) -> _Result:
        try:
            return act()
        except (sqlite3.Error, OSError) as error:
            drop()
            raise DatabaseUnavailable(f"{FILE} cannot be used: {error}.", retry_after=1) from error

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _has_sequence(connection: sqlite3.Connection) -> bool:
    """SQLite makes that table of its own accord, with the first AUTOINCREMENT."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
    return connection.execute(sql).fetchone() is not None
