"""``wsgi.file_wrapper``: bodies that the I/O thread sends, so that no worker waits for a client."""

from __future__ import annotations

import socket
from collections import deque
from typing import Any, Final

from waitress.buffers import ReadOnlyFileBasedBuffer

from host.web.streams import read_at

__all__ = ["BodyFailed", "FileBody", "Scratch"]

_CHUNK: Final = 512 * 1024


class BodyFailed(Exception):
    """The file behind a body could not be read to the length that was promised."""


class Scratch:
    """Buffers of 512 KiB, lent for the moment of one send: there are as many as threads that were
    sending at once, however many clients fetch files."""

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque()

    def take(self) -> memoryview:
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(_CHUNK))

    def give_back(self, buffer: memoryview) -> None:
        self._free.append(buffer)


class FileBody(ReadOnlyFileBasedBuffer):  # type: ignore[misc]  # waitress ships no types
    """``environ["wsgi.file_wrapper"]`` (PEP 3333): sends a file from its present position on.

    The file is closed when the body was sent or the client left. A seekable file is read by
    whoever sends, also the I/O thread, so it must be local (or in memory): reading must not wait
    for a network. A file that cannot be sought is iterated by the worker thread.

    A file that has a ``descriptor`` is read with it into a buffer that is only lent; what the
    socket does not take is read again later. Of others at most one chunk of 512 KiB is kept.
    Reading by chunks is on purpose: over loopback it moves more bytes than ``sendfile``.
    """

    def __init__(self, file: Any, block_size: int = 64 * 1024) -> None:
        super().__init__(file, block_size)
        self._unsent = memoryview(b"")
        self._descriptor: int | None = getattr(file, "descriptor", None)
        self._offset = 0
        self._head = b""
        self._closed = False

    @property
    def sized(self) -> bool:
        """Whether `prepare` knows the length."""
        return hasattr(self, "seek") and (not hasattr(self, "seekable") or self.seekable())

    def prepend(self, head: bytes) -> None:
        """Has the head of the answer sent along with the first bytes; after `prepare`."""
        self._head = head
        self.remain += len(head)
        if self._descriptor is not None:
            self._offset = self.file.offset
        else:
            self._unsent = memoryview(head)

    def send_to(self, sock: socket.socket, limit: int, scratch: Scratch) -> int:
        """Sends at most ``limit`` bytes (of a file, and what is left of the head); returns how
        many went, 0 when the socket is full.

        Raises OSError for the socket and BodyFailed for the file."""
        try:
            if self._descriptor is not None:
                sent = self._send_from(self._descriptor, sock, limit, scratch)
            else:
                sent = self._send_chunk(sock, limit)
        except BlockingIOError:
            return 0
        self.remain -= sent
        return sent

    def _send_from(self, descriptor: int, sock: socket.socket, limit: int, scratch: Scratch) -> int:
        head = self._head
        buffer = scratch.take()
        try:
            wanted = min(limit, _CHUNK, self.remain - len(head))
            try:
                got = read_at(descriptor, buffer[:wanted], self._offset)
            except OSError as error:
                raise BodyFailed(f"reading the file failed: {error}") from error
            if not got:
                raise BodyFailed(self._early())
            sent = _send_both(sock, head, buffer[:got]) if head else sock.send(buffer[:got])
        finally:
            scratch.give_back(buffer)
        if head:
            self._head = head[sent:]
        self._offset += max(0, sent - len(head))
        return sent

    def _send_chunk(self, sock: socket.socket, limit: int) -> int:
        if not self._unsent:
            self._unsent = memoryview(self._read())
        sent = sock.send(self._unsent[:limit])
        self._unsent = self._unsent[sent:]
        return sent

    def _read(self) -> bytes:
        try:
            chunk: bytes = self.file.read(min(_CHUNK, self.remain))
        except Exception as error:
            raise BodyFailed(f"reading the file failed: {error}") from error
        if not chunk:
            raise BodyFailed(self._early())
        return chunk

    def _early(self) -> str:
        return f"the file ended {self.remain - len(self._head)} bytes too early"

    def close(self) -> None:
        """Closes the file, once."""
        if not self._closed:
            self._closed = True
            self._unsent = memoryview(b"")
            super().close()


def _send_both(sock: socket.socket, head: bytes, data: memoryview) -> int:
    if hasattr(sock, "sendmsg"):
        return sock.sendmsg([head, data])
    return sock.send(head)  # Windows has no such call; the data follow
