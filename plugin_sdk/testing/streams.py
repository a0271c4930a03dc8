"""Streams as clients really send them: in drips, without an end in sight, or broken off."""

from __future__ import annotations

import io
import itertools
from typing import Any, BinaryIO, Final, cast

__all__ = ["Broken", "breaking", "dripping", "zeros"]

_LENGTHS: Final = (1, 7, 4096, 65_537, 3)


class Broken(Exception):
    """A client that went away."""


class _Dripping(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)
        self._lengths = itertools.cycle(_LENGTHS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer)
        piece = self._rest[: min(next(self._lengths), len(target))]
        target[: len(piece)] = piece
        self._rest = self._rest[len(piece) :]
        return len(piece)


class _Zeros(io.RawIOBase):
    def __init__(self, left: int, *, breaks: bool) -> None:
        self._left = left
        self._breaks = breaks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._breaks and not self._left:
            raise Broken("The client went away.")
        target = memoryview(buffer)
        given = min(self._left, len(target))
        target[:given] = bytes(given)
        self._left -= given
        return given


def dripping(content: bytes) -> BinaryIO:
    """Cannot be sought, and gives a few bytes at a time, whatever is asked for."""
    return cast("BinaryIO", _Dripping(content))


def zeros(size: int) -> BinaryIO:
    """So many zero bytes, which are nowhere held whole."""
    return cast("BinaryIO", _Zeros(size, breaks=False))


def breaking(size: int) -> BinaryIO:
    """Raises `Broken` after so many bytes."""
    return cast("BinaryIO", _Zeros(size, breaks=True))
