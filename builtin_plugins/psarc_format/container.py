"""The container: a header, a table of contents, and blocks of zlib (songs contract, section 12)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from builtin_plugins.psarc_format.keys import Keys
from plugin_sdk import UnreadableSong

__all__ = ["MAX_WHOLE", "Container"]

MAX_WHOLE: Final = 50 * 1024 * 1024
"""The largest entry that is read whole."""

MAX_ENTRIES: Final = 100_000
MAX_TOC: Final = 64 * 1024 * 1024
MAX_STREAM: Final = 2 * 1024**3

_HEADER: Final = struct.Struct(">4sHH4sIIIII")
_ENTRY_SIZES: Final = range(30, 101)
_BLOCKS: Final = range(1, 65_537)
_ENCRYPTED: Final = 4


@dataclass(frozen=True, slots=True)
class _Entry:
    block: int
    length: int
    offset: int


class Container:
    """An open archive. Names are those that it lists; they are never used as paths.

    Raises UnreadableSong for what is damaged, too large, or needs a key that is missing."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self._file: BinaryIO = path.open("rb")
        try:
            self._size = self._file.seek(0, 2)
            self._read_toc(keys)
            self._entries = self._named()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def names(self) -> list[str]:
        """In the order of the archive."""
        return list(self._entries)

    def size(self, name: str) -> int:
        return self._entries[name].length

    def read(self, name: str) -> bytes:
        """A whole entry of at most `MAX_WHOLE` bytes. Raises KeyError for an unknown name."""
        return self._whole(self._entries[name], name)

    def copy(self, name: str, target: BinaryIO) -> None:
        """Writes an entry block by block. Raises KeyError for an unknown name."""
        entry = self._entries[name]
        if entry.length > MAX_STREAM:
            raise UnreadableSong(f"{name} is too large")
        for block in self._blocks(entry, name):
            target.write(block)

    def _read_toc(self, keys: Keys) -> None:
        head = self._bytes(0, _HEADER.size)
        magic, major, minor, method, toc_length, entry_size, count, block, flags = _HEADER.unpack(
            head
        )
        if magic != b"PSAR" or (major, minor) != (1, 4) or method != b"zlib":
            raise UnreadableSong("not a PSARC archive")
        fits = entry_size in _ENTRY_SIZES and count <= MAX_ENTRIES and block in _BLOCKS
        if not fits or not count or toc_length > MAX_TOC:
            raise UnreadableSong("the archive is damaged")
        toc = self._bytes(_HEADER.size, toc_length - _HEADER.size)
        if flags & _ENCRYPTED:
            toc = keys.open_toc(toc)
        listed = count * entry_size
        if listed > len(toc):
            raise UnreadableSong("the archive is damaged")
        self._block = block
        self._toc = [_entry(toc, at) for at in range(0, listed, entry_size)]
        sizes = (len(toc) - listed) // 2
        self._sizes = struct.unpack_from(f">{sizes}H", toc, listed)

    def _named(self) -> dict[str, _Entry]:
        """Entry 0 holds the names of all others, one a line."""
        listing = self._whole(self._toc[0], "the list of names")
        names = listing.decode("utf-8", "replace").split("\n")
        return {
            name.strip("\r"): entry
            for name, entry in zip(names, self._toc[1:], strict=False)
            if name
        }

    def _whole(self, entry: _Entry, name: str) -> bytes:
        if entry.length > MAX_WHOLE:
            raise UnreadableSong(f"{name} is too large")
        return b"".join(self._blocks(entry, name))

    def _blocks(self, entry: _Entry, name: str) -> Iterator[bytes]:
        """The content, a block at a time; what is inflated is never more than one block."""
        left, at, number = entry.length, entry.offset, entry.block
        while left:
            if number >= len(self._sizes):
                raise UnreadableSong(f"{name} is damaged")
            stored = self._sizes[number]
            content = self._bytes(at, stored or self._block)
            block = _inflated(content, self._block) if stored else content
            if len(block) < min(left, self._block):
                raise UnreadableSong(f"{name} is damaged")
            yield block[:left]
            at += len(content)
            number += 1
            left -= min(left, self._block)

    def _bytes(self, start: int, count: int) -> bytes:
        """Raises UnreadableSong when the file ends before."""
        if count < 0 or start + count > self._size:
            raise UnreadableSong("the archive is damaged: it ends too early")
        self._file.seek(start)
        content = self._file.read(count)
        if len(content) != count:
            raise UnreadableSong("the archive is damaged: it ends too early")
        return content


def _entry(toc: bytes, at: int) -> _Entry:
    # 16 bytes of MD5 stand first: they name the entry, and so do the names.
    block = int.from_bytes(toc[at + 16 : at + 20])
    return _Entry(
        block,
        int.from_bytes(toc[at + 20 : at + 25]),
        int.from_bytes(toc[at + 25 : at + 30]),
    )


def _inflated(content: bytes, limit: int) -> bytes:
    """What does not inflate is stored as it is."""
    inflater = zlib.decompressobj()
    try:
        block = inflater.decompress(content, limit)
    except zlib.error:
        return content
    return block if inflater.eof else content
