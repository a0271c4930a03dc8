"""``wsgi.file_wrapper``: bodies that the I/O thread sends, so that no worker waits for a client."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
from typing import Any

from waitress.buffers import ReadOnlyFileBasedBuffer

__all__ = ["BodyFailed", "FileBody"]

_CHUNK = 256 * 1024
_NO_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOVERFLOW})


class BodyFailed(Exception):
    """The file behind a body could not be read to the length that was promised."""


class FileBody(ReadOnlyFileBasedBuffer):  # type: ignore[misc]  # waitress ships no types
    """``environ["wsgi.file_wrapper"]`` (PEP 3333): sends a file from its present position on.

    The file is closed when the body was sent or the client left, on the I/O thread. A seekable
    file is read there too, so it must be local (or in memory): reading must not wait for a
    network. A file that cannot be sought is iterated by the worker thread.

    An ordinary file goes out by the kernel's ``sendfile``. So that this works for a file-like
    object around one (which gives back a lease when it is closed, say), the object may have an
    attribute ``plain_file``: an io.BufferedReader or io.FileIO that stands where the object stands
    and whose bytes are the object's.
    """

    def __init__(self, file: Any, block_size: int = 64 * 1024) -> None:
        super().__init__(file, block_size)
        self._unsent: memoryview = memoryview(b"")
        self._descriptor: int | None = None
        self._offset = 0
        self._closed = False

    @property
    def sized(self) -> bool:
        """Whether `prepare` knows the length."""
        return hasattr(self, "seek")

    def prepare(self, size: int | None = None) -> int:
        """Bytes that will be sent: what is left of the file, at most ``size``."""
        remain: int = super().prepare(size)
        plain = getattr(self.file, "plain_file", self.file)
        if type(plain) in (io.BufferedReader, io.FileIO) and hasattr(os, "sendfile"):
            descriptor = plain.fileno()
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self._descriptor, self._offset = descriptor, plain.tell()
        return remain

    def send_to(self, sock: socket.socket, limit: int) -> int:
        """Sends at most ``limit`` bytes; returns how many went, 0 when the socket is full.

        Raises OSError for the socket and BodyFailed for the file."""
        wanted = min(limit, self.remain)
        sent = 0 if self._descriptor is None else self._send_file(sock, wanted)
        if self._descriptor is None:
            sent = self._send_chunk(sock, wanted)
        self.remain -= sent
        return sent

    def _send_file(self, sock: socket.socket, wanted: int) -> int:
        assert self._descriptor is not None
        try:
            sent = os.sendfile(sock.fileno(), self._descriptor, self._offset, wanted)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
            self._descriptor = None  # this file system cannot: read it instead
            self.file.seek(self._offset)
            return 0
        if not sent:
            raise BodyFailed(f"the file ended {self.remain} bytes too early")
        self._offset += sent
        return sent

    def _send_chunk(self, sock: socket.socket, wanted: int) -> int:
        if not self._unsent:
            try:
                chunk = self.file.read(min(_CHUNK, self.remain))
            except Exception as error:
                raise BodyFailed(f"reading the file failed: {error}") from error
            if not chunk:
                raise BodyFailed(f"the file ended {self.remain} bytes too early")
            self._unsent = memoryview(chunk)
        try:
            sent = sock.send(self._unsent[:wanted])
        except BlockingIOError:
            return 0
        self._unsent = self._unsent[sent:]
        return sent

    def close(self) -> None:
        """Closes the file, once."""
        if not self._closed:
            self._closed = True
            self._descriptor = None
            self._unsent = memoryview(b"")
            super().close()
