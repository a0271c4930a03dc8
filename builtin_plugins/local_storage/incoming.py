"""Files that are being written, before a rename makes blobs of them."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["Incoming"]


class Incoming:
    """A folder in the file system of the blobs.

    Each file is locked (flock(2)) while it is written. The kernel lets go of the lock when the
    writer dies, however it dies: what is not locked was left by a crash. So a sweep never takes a
    file away from a writer, in this process or in another one beside it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def file(self) -> Iterator[tuple[BinaryIO, Path]]:
        """A new file and its path; gone afterwards, unless it was moved away."""
        file, path = self._create()
        try:
            yield file, path
        finally:
            file.close()
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Removes what crashes left; returns how many files that were."""
        removed = 0
        paths = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in paths:
            try:
                with path.open("rb") as file:
                    if _lock(file, wait=False):
                        path.unlink()
                        removed += 1
            except FileNotFoundError:  # its writer has finished in the meantime
                continue
        return removed

    def _create(self) -> tuple[BinaryIO, Path]:
        while True:
            path = self._folder / secrets.token_hex(16)
            file = path.open("xb")
            _lock(file, wait=True)
            if os.fstat(file.fileno()).st_nlink:
                return file, path
            file.close()  # a sweep came between creating and locking


def _lock(file: BinaryIO, *, wait: bool) -> bool:
    """False when somebody else holds the lock, or the file system knows none: then nothing can
    be said about the writer, and its file is left alone."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
