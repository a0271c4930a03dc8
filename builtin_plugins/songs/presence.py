"""Processes that can be seen to live: each holds a lock on a file, which its end lets go of,
however it ends."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

__all__ = ["Presence"]


class Presence:
    """One process at a time keeps it; others on the same files see whether it is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def kept(self) -> Iterator[str]:
        """By what mark others know this process while it lasts; ``""`` when they cannot."""
        mark = secrets.token_hex(8)
        with self._path.open("a+") as file:
            if not _locked(file, shared=False):
                yield ""
                return
            file.truncate(0)
            file.write(mark)
            file.flush()
            try:
                yield mark
            finally:
                self._path.unlink(missing_ok=True)

    def is_gone(self, mark: str) -> bool:
        """Whether the process of this mark is known to be over. It is not, when it runs on
        another machine."""
        try:
            with self._path.open() as file:
                return mark != "" and file.read() == mark and _locked(file, shared=True)
        except OSError:
            return False


def _locked(file: IO[str], *, shared: bool) -> bool:
    """Locks it until it is closed, if nobody else has."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
