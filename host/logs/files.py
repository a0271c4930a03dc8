"""The log file: appended to by several processes, kept small by renaming, read from its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["RotatingFile", "log_tail"]


class RotatingFile:
    """A file of at most about ``max_bytes``; fuller ones become ``.1`` to ``.<backups>``.

    Other processes may write to the same file: whole batches are appended, a rename by somebody
    else is noticed before the next batch, and renaming is done under a lock. For one thread.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._descriptor: int | None = None

    def write(self, data: bytes) -> None:
        """Appends; raises OSError."""
        descriptor = self._open()
        size = os.fstat(descriptor).st_size
        if size and size + len(data) > self._max_bytes:
            descriptor = self._rotate(len(data))
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        """The descriptor of the file that bears the name now."""
        if self._descriptor is not None:
            try:
                here, there = os.fstat(self._descriptor), os.stat(self._path)  # noqa: PTH116
                if (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev):
                    return self._descriptor
            except FileNotFoundError:
                pass
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        # What people do may stand in it: for the owner alone.
        self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor

    def _rotate(self, coming: int) -> int:
        with self._lock():
            descriptor = self._open()  # somebody may have been faster
            if os.fstat(descriptor).st_size + coming <= self._max_bytes:
                return descriptor
            names = [self._path, *(self._numbered(n) for n in range(1, self._backups + 1))]
            for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
                if newer.exists():
                    newer.replace(older)
            if not self._backups:
                self._path.unlink()
            return self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        if sys.platform == "win32":
            yield
            return
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def log_tail(file: Path, limit_bytes: int) -> Iterator[bytes]:
    """The last bytes of a log file in pieces, at most ``limit_bytes``, beginning with a whole
    line; nothing when there is no file."""
    try:
        stream = file.open("rb")
    except OSError:
        return
    with stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(0, size - limit_bytes)
        stream.seek(max(0, start - 1))
        if start:  # from the byte before: it tells whether a line begins exactly here
            stream.readline(limit_bytes + 1)
        left = size - stream.tell()
        while left > 0 and (piece := stream.read(min(left, 65536))):
            left -= len(piece)
            yield piece
