"""``wsgi.file_wrapper``: bodies that the I/O thread sends, so that no worker waits for a client."""

from __future__ import annotations

import socket
from typing import Any, Final

from waitress.buffers import ReadOnlyFileBasedBuffer

__all__ = ["BodyFailed", "FileBody"]

_CHUNK: Final = 256 * 1024


class BodyFailed(Exception):
    """The file behind a body could not be read to the length that was promised."""


class FileBody(ReadOnlyFileBasedBuffer):  # type: ignore[misc]  # waitress ships no types
    """``environ["wsgi.file_wrapper"]`` (PEP 3333): sends a file from its present position on.

    The file is closed when the body was sent or the client left, on the I/O thread. A seekable
    file is read there too, so it must be local (or in memory): reading must not wait for a
    network. A file that cannot be sought is iterated by the worker thread.

    It keeps at most one chunk of 256 KiB in memory. Reading by chunks is on purpose: over
    loopback it moved about twice as many bytes as ``sendfile``.
    """

    def __init__(self, file: Any, block_size: int = 64 * 1024) -> None:
        super().__init__(file, block_size)
        self._unsent = memoryview(b"")
        self._closed = False

    @property
    def sized(self) -> bool:
        """Whether `prepare` knows the length."""
        return hasattr(self, "seek") and (not hasattr(self, "seekable") or self.seekable())

    def send_to(self, sock: socket.socket, limit: int) -> int:
        """Sends at most ``limit`` bytes; returns how many went, 0 when the socket is full.

        Raises OSError for the socket and BodyFailed for the file."""
        if not self._unsent:
            self._unsent = memoryview(self._read())
        try:
            sent = sock.send(self._unsent[:limit])
        except BlockingIOError:
            return 0
        self._unsent = self._unsent[sent:]
        self.remain -= sent
        return sent

    def _read(self) -> bytes:
        try:
            chunk: bytes = self.file.read(min(_CHUNK, self.remain))
        except Exception as error:
            raise BodyFailed(f"reading the file failed: {error}") from error
        if not chunk:
            raise BodyFailed(f"the file ended {self.remain} bytes too early")
        return chunk

    def close(self) -> None:
        """Closes the file, once."""
        if not self._closed:
            self._closed = True
            self._unsent = memoryview(b"")
            super().close()
