"""One blob in one file: the content as it is, then what is known of it.

::

    content                              from offset 0, so that ranges are plain seeks
    {"key", "type", "etag", "modified"}  JSON in UTF-8
    length of that JSON, "SBB1"          4 bytes, big-endian; 4 bytes

Content and description are replaced by one rename, so they never belong to different writes, and
a folder of such files explains itself without any database.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from plugin_sdk import BlobInfo, StageboxError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["DamagedFile", "open_content", "read_info", "sync_folder", "write_blob"]

_FOOTER: Final = struct.Struct(">I4s")
_MAGIC: Final = b"SBB1"
_CHUNK: Final = 256 * 1024
_BUFFER: Final = 64 * 1024
_TAIL: Final = 4096
"""Enough for nearly every description at one read: a key has at most 512 characters."""


class DamagedFile(StageboxError):
    """The file is not as it was written; only a defect of the disk, or a hand, does that."""

    default_message = "A stored blob is damaged."

    def __init__(self, path: Path) -> None:
        super().__init__(f"The blob file {path.name} is damaged: restore it from a backup.")


def write_blob(
    file: BinaryIO, key: str, content: BinaryIO, content_type: str, modified: float
) -> BlobInfo:
    """Writes the stream to its end, and brings all of it to the disk before it returns.

    The ETag is a hash of the content: storing the same bytes again keeps what clients cached."""
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
        file.write(chunk)
        size += len(chunk)
    info = BlobInfo(key, size, digest.hexdigest(), modified, content_type)
    file.write(_description(info))
    file.flush()
    os.fsync(file.fileno())
    return info


def read_info(path: Path) -> BlobInfo:
    """Raises FileNotFoundError, DamagedFile."""
    with path.open("rb", buffering=0) as file:
        return _info_of(file, path)


def open_content(path: Path, start: int, length: int | None) -> BinaryIO:
    """A real file at offset ``start`` of the content; it ends ``length`` bytes later, or with the
    content. Raises FileNotFoundError, DamagedFile."""
    raw = _ContentFile(path)
    try:
        size = _info_of(raw, path).size
        begin = min(start, size)
        raw.limit(begin, size if length is None else min(begin + length, size))
        return io.BufferedReader(raw, _BUFFER)
    except BaseException:
        raw.close()
        raise


def sync_folder(folder: Path) -> None:
    """Brings a folder's entries to the disk: a rename is not durable before that (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _ContentFile(io.FileIO):
    """A file that ends before its last bytes. Offsets are those of the file, and ``fileno`` is
    its own, so whoever serves it may go on with the descriptor from ``tell()`` on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._end: int | None = None

    def limit(self, start: int, end: int) -> None:
        self._end = end
        super().seek(start)

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._end is None:
            return super().readinto(buffer)
        return super().readinto(memoryview(buffer)[: max(0, self._end - self.tell())])

    def readall(self) -> bytes:
        return self.read()

    def read(self, size: int | None = -1) -> bytes:
        if self._end is None:
            return super().read(-1 if size is None else size)
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END and self._end is not None:
            return super().seek(self._end + offset)
        return super().seek(offset, whence)


def _description(info: BlobInfo) -> bytes:
    document = {
        "key": info.key,
        "type": info.content_type,
        "etag": info.etag,
        "modified": info.modified,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return text + _FOOTER.pack(len(text), _MAGIC)


def _info_of(file: io.FileIO, path: Path) -> BlobInfo:
    whole = os.fstat(file.fileno()).st_size
    tail = _last_bytes(file, whole, _TAIL)
    if len(tail) < _FOOTER.size:
        raise DamagedFile(path)
    length, magic = _FOOTER.unpack(tail[-_FOOTER.size :])
    needed = length + _FOOTER.size
    if magic != _MAGIC or needed > whole:
        raise DamagedFile(path)
    if needed > len(tail):
        tail = _last_bytes(file, whole, needed)
    try:
        document = json.loads(tail[-needed : -_FOOTER.size])
        return BlobInfo(
            document["key"],
            whole - needed,
            document["etag"],
            document["modified"],
            document["type"],
        )
    except (ValueError, KeyError, TypeError):
        raise DamagedFile(path) from None


def _last_bytes(file: io.FileIO, whole: int, count: int) -> bytes:
    file.seek(max(0, whole - count))
    return file.read(count)
