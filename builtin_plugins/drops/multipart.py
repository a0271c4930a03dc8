"""Multipart bodies (RFC 2046, 5.1), read piece by piece: what drop servers send, and forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.message import Message
from typing import Final

__all__ = ["BadMultipart", "Part", "boundary_of", "parts"]

_MAX_HEAD: Final = 16 * 1024
_CRLF: Final = b"\r\n"
Part = tuple[bytes, bytes | None]
"""Head and content of a part; None for a content that is larger than asked for."""


class BadMultipart(ValueError):
    """A body that is not what its Content-Type says."""


def boundary_of(content_type: str, kind: str) -> bytes | None:
    """The boundary of a Content-Type of that kind, quoted or not; None for other types."""
    if content_type.partition(";")[0].strip().lower() != kind:
        return None
    message = Message()
    try:
        message["Content-Type"] = re.sub(r"[\r\n]", " ", content_type)
        boundary = message.get_boundary()
        return boundary.encode("latin-1") if boundary else None
    except (ValueError, UnicodeError):
        return None


def parts(chunks: Iterable[bytes], boundary: bytes, max_content: int) -> Iterator[Part]:
    """The parts in their order, the bytes as they are. Never holds more than a part's limit and
    a chunk. Raises BadMultipart when the closing delimiter does not come."""
    delimiter = _CRLF + b"--" + boundary
    cutter = _Cutter(delimiter, max_content + _MAX_HEAD)
    waiting = True  # for the first delimiter: what is before it means nothing
    for piece, whole in cutter.pieces(chunks):
        if waiting:
            waiting = False
            continue
        if piece.startswith(b"--"):
            return
        head, separator, content = piece.partition(_CRLF + _CRLF)
        if not separator:
            if whole:
                raise BadMultipart("a part has no head")
            continue
        yield head, content if whole and len(content) <= max_content else None
    raise BadMultipart("it ends before its last delimiter")


class _Cutter:
    """Cuts a stream at a delimiter. The last piece, behind which none comes, is given too if it
    begins with ``--``."""

    def __init__(self, delimiter: bytes, limit: int) -> None:
        self._delimiter = delimiter
        self._limit = limit

    def pieces(self, chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
        """Pairs of a piece and whether it is whole: of a long one only the beginning is kept."""
        buffer, searched, whole = bytearray(_CRLF), 0, True
        kept = b""
        for chunk in chunks:
            buffer += chunk
            while True:
                found = buffer.find(self._delimiter, searched)
                if found < 0:
                    break
                yield (bytes(buffer[:found]) if whole else kept), whole
                del buffer[: found + len(self._delimiter)]
                searched, whole = 0, True
            searched = max(0, len(buffer) - len(self._delimiter) + 1)
            if searched > self._limit:
                if whole:
                    kept, whole = bytes(buffer[: self._limit]), False
                del buffer[:searched]
                searched = 0
        if whole and buffer.startswith(b"--"):
            yield bytes(buffer), True
