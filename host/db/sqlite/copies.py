"""Copies of a SQLite database: taken while it is used, put back in one step."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from host.disk import sync
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound

__all__ = ["check_copy", "overwrite", "replace_file", "write_copy"]


def write_copy(source: sqlite3.Connection, path: Path) -> None:
    """The committed state in one file of its own, written aside and then put in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(part, isolation_level=None)) as target:
            source.backup(target)
            # Without the write-ahead log of its source the copy is one file, and may be read
            # where nothing can be written.
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def check_copy(path: Path) -> None:
    """Raises NotFound, or Invalid when it is no sound SQLite file."""
    if not path.is_file():
        raise NotFound(f"There is no copy {path.name}.")
    try:
        with closing(_open_copy(path)) as copy:
            report = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{path.name} is no copy of a database: {error}.") from error
    if report != "ok":
        raise Invalid(f"{path.name} is damaged: {' '.join(report.split()).rstrip('.')}.")


def overwrite(target: sqlite3.Connection, path: Path, seconds: float) -> None:
    """Makes the content of a database that of the copy, as one write transaction: readers, also
    of other processes, see the old state or the new."""
    with closing(_open_copy(path)) as source:
        source.backup(target, sleep=0.01, progress=_deadline(seconds))


def replace_file(path: Path, copy: Path) -> None:
    """Puts a copy in place of a file that is damaged beyond writing into it; nobody has it open."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.fresh")
    try:
        with closing(_open_copy(copy)) as source:
            write_copy(source, fresh)
        for suffix in ("-wal", "-shm"):  # they belong to the damaged one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        fresh.replace(path)
        sync(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def _open_copy(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _deadline(seconds: float) -> Callable[[int, int, int], None]:
    """sqlite3 would wait for another writer without end."""
    until = time.monotonic() + seconds

    def progress(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            raise DatabaseUnavailable(
                "Another process writes; nothing was restored.", retry_after=1
            )

    return progress
