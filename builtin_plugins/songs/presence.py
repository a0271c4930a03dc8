"""Processes that can be seen to live: each holds a lock on a file, which its end lets go of,
however it ends."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

if sys.platform != "win32":
    import fcntl

__all__ = ["Presence"]

_NAME: Final = "scan.lock"


class Presence:
    """One process at a time keeps it; others on the same files see whether it is gone. ``folder``
    says where the file lies; where it cannot be written, nobody is known to be gone."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder

    @contextmanager
    def kept(self) -> Iterator[str]:
        """By what mark others know this process while it lasts; ``""`` when they cannot."""
        file = self._own()
        if file is None:
            yield ""
            return
        with file:
            mark = secrets.token_hex(8)
            file.truncate(0)
            file.write(mark)
            file.flush()
            try:
                yield mark
            finally:
                self._path().unlink(missing_ok=True)

    def is_gone(self, mark: str) -> bool:
        """Whether the process of this mark is known to be over. It is not, when it runs on
        another machine."""
        try:
            with self._path().open() as file:
                return mark != "" and file.read() == mark and _locked(file, shared=True)
        except OSError:
            return False

    def _path(self) -> Path:
        return self._folder() / _NAME

    def _own(self) -> IO[str] | None:
        """The file, locked; None when it cannot be."""
        with suppress(OSError):
            file = self._path().open("a+")
            if _locked(file, shared=False):
                return file
            file.close()
        return None


def _locked(file: IO[str], *, shared: bool) -> bool:
    """Locks it until it is closed, if nobody else has."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
