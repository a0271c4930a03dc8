"""Connections to one SQLite file: one that writes, and a pile of those that read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from host.db.database import unique_names
from host.db.search import fold
from plugin_sdk import DatabaseUnavailable, Row

__all__ = ["FOLD", "Connections", "Options", "Session", "column_names", "identity"]

FOLD: Final = "stagebox_fold"
"""The SQL function on every connection: `host.db.search.fold`."""

_JOURNAL_LIMIT: Final = 8 * 1024 * 1024  # of the WAL file after a checkpoint, in bytes
_RETRY_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Options:
    """``busy_seconds``: how long a statement waits for another process. ``idle_readers``: how
    many connections that read are kept for each database."""

    durability: Literal["full", "normal"] = "full"
    busy_seconds: float = 10.0
    idle_readers: int = 4


class Session:
    """A connection and the cursor that is kept for it. One thread uses it at a time.

    ``home`` is the pile to which it returns; None while somebody keeps it (the writer, a
    snapshot). ``streams`` are cursors of its own that live as long as the snapshot. A ``spoilt``
    one is closed instead of used again.
    """

    __slots__ = ("connection", "cursor", "home", "spoilt", "streams")

    def __init__(self, connection: sqlite3.Connection, home: list[Session] | None) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.home = home
        self.streams: list[sqlite3.Cursor] = []
        self.spoilt = False

    def first(self, sql: str, params: Any) -> tuple[Any, ...] | None:
        """The first row. The statement is over afterwards, else it would hold its read lock."""
        cursor = self.cursor
        cursor.execute(sql, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
        if row is not None and cursor.fetchone() is not None:
            self.reset()  # a write is done by then (https://sqlite.org/lang_returning.html, 3)
        return row

    def row(self, sql: str, params: Any) -> Row | None:
        """The first row as a dictionary."""
        cursor = self.cursor
        values = self.first(sql, params)
        return None if values is None else dict(zip(column_names(cursor), values, strict=True))

    def rows(self, sql: str, params: Any) -> list[Row]:
        """All rows as dictionaries."""
        self.cursor.execute(sql, params)
        found = self.cursor.fetchall()
        names = column_names(self.cursor)
        return [dict(zip(names, row, strict=True)) for row in found]

    def values(self, sql: str, params: Any) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self.cursor.execute(sql, params).fetchall()]

    def change(self, sql: str, params: Any) -> int:
        """How many rows the statement changed."""
        cursor, connection = self.cursor, self.connection
        before = connection.total_changes
        cursor.execute(sql, params)
        if cursor.description is not None:
            cursor.fetchall()  # what it returns, until it is done
        if cursor.rowcount >= 0:
            return cursor.rowcount
        if connection.total_changes == before:
            return 0
        # sqlite3 counts only for statements whose first word is INSERT, UPDATE or DELETE.
        return int(connection.execute("SELECT changes()").fetchone()[0])

    def change_many(self, sql: str, rows: Sequence[Any]) -> int:
        """As `change`, for each row; INSERT, UPDATE and DELETE only."""
        self.cursor.executemany(sql, rows)
        return max(self.cursor.rowcount, 0)

    def reset(self) -> None:
        """Gives up the present statement."""
        self.cursor.close()
        self.cursor = self.connection.cursor()

    def end_streams(self) -> None:
        while self.streams:
            self.streams.pop().close()

    def close(self) -> None:
        self.end_streams()
        self.cursor.close()
        self.connection.close()


def column_names(cursor: sqlite3.Cursor) -> Sequence[str]:
    """As keys of a row, each once."""
    return unique_names([column[0] for column in cursor.description or ()])


class Connections:
    """Opens and closes; does not know about threads or transactions.

    ``opened`` and ``closed`` are told of each connection to the file.
    """

    def __init__(
        self,
        path: Path,
        options: Options,
        *,
        opened: Callable[[], object],
        closed: Callable[[], object],
    ) -> None:
        self.path = path
        self.shut = False
        self.idle: list[Session] = []
        self.empty: list[Session] = []
        self.writer: Session | None = None
        self._file: tuple[int, int] | None = None
        self._options = options
        self._opened = opened
        self._closed = closed

    def open_reader(self) -> Session:
        """A connection that reads; of an empty database in memory while there is no file."""
        self.refuse_when_shut()
        if self.path.exists():
            session = self._read_only(_connect(_uri(self.path), self._options), self.idle)
            self._note_file()
            self._opened()
            return session
        if self.empty:
            return self.empty.pop()
        return self._read_only(_connect(":memory:", self._options, uri=False), self.empty)

    def open_writer(self) -> Session:
        """The connection that writes; makes folder and file."""
        self.refuse_when_shut()
        _make_file(self.path)
        connection = _connect(_uri(self.path), self._options)
        try:
            self._prepare_writer(connection)
        except BaseException:
            connection.close()
            raise
        self.writer = Session(connection, None)
        self._note_file()
        self._opened()
        return self.writer

    @property
    def orphaned(self) -> bool:
        """Whether the file that was opened is not there any more, or is another one: another
        process dropped the database. SQLite would go on writing where nobody reads."""
        return self._file is not None and self._file != identity(self.path)

    def _note_file(self) -> None:
        if self._file is None:
            self._file = identity(self.path)

    def put_back(self, session: Session, home: list[Session]) -> None:
        """Keeps a reader for the next time, or closes it."""
        if self.shut or session.spoilt or len(home) >= self._options.idle_readers:
            self.discard(session)
            return
        home.append(session)
        if self.shut:  # closed in between
            self.drop_idle()

    def discard(self, session: Session) -> None:
        session.close()
        if session.home is not self.empty:
            self._closed()

    def drop_idle(self) -> None:
        """Closes the readers that nobody uses."""
        for pile in (self.idle, self.empty):
            while pile:
                try:
                    session = pile.pop()
                except IndexError:  # another thread took it
                    break
                self.discard(session)

    def drop_writer(self) -> None:
        """Closes the writer; its lock is held by the caller."""
        writer, self.writer = self.writer, None
        if writer is not None:
            self.discard(writer)

    def refuse_when_shut(self) -> None:
        if self.shut:
            raise DatabaseUnavailable("The database is closed.")

    def _read_only(self, connection: sqlite3.Connection, home: list[Session]) -> Session:
        try:
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return Session(connection, home)

    def _prepare_writer(self, connection: sqlite3.Connection) -> None:
        _enter_wal(connection, self._options.busy_seconds)
        level = "FULL" if self._options.durability == "full" else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")


def _connect(address: str, options: Options, *, uri: bool = True) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        uri=uri,
        timeout=options.busy_seconds,
        isolation_level=None,  # transactions are begun and ended by us alone
        check_same_thread=False,  # one thread at a time, not the same one always
        detect_types=sqlite3.PARSE_DECLTYPES,
    )
    connection.create_function(FOLD, 1, _fold, deterministic=True)
    return connection


def identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there (device, inode), whatever its name; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _uri(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=rw"


def _fold(text: object) -> str | None:
    return fold(text) if isinstance(text, str) else None


def _make_file(path: Path) -> None:
    """Readable by its owner alone; SQLite gives the files beside it the same mode."""
    try:
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Exclusive: closing a descriptor of a file that this process has open drops SQLite's
        # POSIX locks on it (https://sqlite.org/howtocorrupt.html, 2.2).
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise DatabaseUnavailable(f"{path.name} cannot be made: it is no file.") from None
    except OSError as error:
        text = f"The database file {path.name} cannot be made: {error.strerror}."
        raise DatabaseUnavailable(text) from error


def _enter_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Write-ahead log, so that readers and writer do not wait for each other.

    SQLite does not wait for another process that does the same; so it is done here.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return
