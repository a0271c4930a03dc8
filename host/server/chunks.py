"""Chunked bodies (RFC 9112, 7.1), read to the letter."""

from __future__ import annotations

import re
from typing import Any, Final

from waitress.rfc7230 import CHUNK_EXT_RE, HEADER_FIELD_RE
from waitress.utilities import BadRequest

__all__ = ["ChunkedBody"]

_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_MAX_LINE: Final = 1024
_MAX_TRAILER: Final = 8 * 1024


class ChunkedBody:
    """What waitress asks of a ``body_rcv``, in the place of its own ChunkedReceiver.

    That one takes a line feed alone behind a size, empty lines between chunks and anything as a
    trailer: where somebody in front of us reads such bytes otherwise, a request hides in them
    (RFC 9112, 11.2). It also copies what it has not looked at yet for every chunk, which lets
    chunks of one byte keep the I/O thread busy.

    ``len()`` tells how many bytes of content there are so far.
    """

    def __init__(self, buffer: Any) -> None:
        self.completed = False
        self.error: Any = None
        self._buffer = buffer
        self._left = 0  # bytes that the present chunk still has
        self._read_line = self._size
        self._begun = b""  # a line that has not come to its end
        self._trailer = 0

    def __len__(self) -> int:
        length: int = self._buffer.__len__()
        return length

    def received(self, data: bytes) -> int:
        """Takes bytes of the body and returns how many of them belong to it."""
        held = len(self._begun)
        data = self._begun + data if held else data
        place, content = 0, []
        while place < len(data) and not (self.completed or self.error):
            if self._left:
                piece = data[place : place + self._left]
                content.append(piece)
                self._left -= len(piece)
                place += len(piece)
                continue
            end = data.find(b"\r\n", place, place + _MAX_LINE + 2)
            if end < 0:
                break
            self._read_line(data[place:end])
            place = end + 2
        if content:
            self._buffer.append(b"".join(content))
        self._begun = data[place:]
        if len(self._begun) > _MAX_LINE and not (self.completed or self.error):
            self._refuse("a line is too long")
        return place - held if self.completed else len(data) - held

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        return self._buffer

    # ---- what a line may be

    def _size(self, line: bytes) -> None:
        size, semicolon, extension = line.partition(b";")
        if not _SIZE.fullmatch(size):
            self._refuse("a size is no hexadecimal number")
        elif semicolon and not CHUNK_EXT_RE.fullmatch(semicolon + extension):
            self._refuse("an extension of a chunk cannot be read")
        else:
            self._left = int(size, 16)
            self._read_line = self._end_of_chunk if self._left else self._trailer_line

    def _end_of_chunk(self, line: bytes) -> None:
        if line:
            self._refuse("a chunk is longer than its size")
        self._read_line = self._size

    def _trailer_line(self, line: bytes) -> None:
        self._trailer += len(line)
        if not line:
            self.completed = True
        elif self._trailer > _MAX_TRAILER or not HEADER_FIELD_RE.fullmatch(line):
            self._refuse("its trailer cannot be read")

    def _refuse(self, why: str) -> None:
        self.error = BadRequest(f"The chunked body is malformed: {why}.")
