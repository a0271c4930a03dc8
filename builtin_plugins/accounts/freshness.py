"""Whether what was read of the database is still so, told without asking it."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from plugin_sdk import Database, Logger

__all__ = ["Freshness"]

_BYTES: Final = 8


class Freshness:
    """A random number that all processes of this machine share: eight bytes of a mapped file.

    Whoever ends a session or changes a right draws another number after the commit and before
    the answer. So what was read under the present number is not older than the last write that
    was answered. Numbers are random rather than counted, so that none comes back when two
    processes draw at once.

    The file is shared as far as SQLite's own wal-index is: by the processes of one machine. Where
    the database is shared further there is no ``folder``, no number, and nothing is remembered.
    """

    def __init__(self, database: Database, folder: Path | None, log: Logger) -> None:
        self._db = database
        self._map: mmap.mmap | None = None
        self._numbers: memoryview[int] | None = None
        if folder is None:
            return
        try:
            self._map = _mapped(folder / "freshness")
            self._numbers = memoryview(self._map).cast("Q")
        except OSError as error:
            log.warning("Sessions are looked up anew for each request: %s.", error)

    @property
    def number(self) -> int | None:
        """Read it before the database; None when nothing may be remembered."""
        return None if self._numbers is None else self._numbers[0]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """The outermost transaction around a write that ends a session or changes a right."""
        try:
            with self._db.transaction():
                yield
        finally:  # also when nobody knows whether the commit came through
            if self._numbers is not None:
                self._numbers[0] = secrets.randbits(64)

    def close(self) -> None:
        numbers, self._numbers = self._numbers, None
        if numbers is not None:
            numbers.release()
        if self._map is not None:
            self._map.close()


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < _BYTES:
            # Written, not only made so long: a hole in the file needs room on the disk later, and
            # a mapping that finds none kills the process.
            os.pwrite(descriptor, secrets.token_bytes(_BYTES), 0)
        return mmap.mmap(descriptor, _BYTES)
    finally:
        os.close(descriptor)
