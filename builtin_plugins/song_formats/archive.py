"""Packs that are ZIP archives. Nothing is ever extracted: entries are read by their exact names,
and every limit counts the inflated bytes that are really read."""

from __future__ import annotations

import errno
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from builtin_plugins.song_formats.files import MissingFile, PackFiles
from plugin_sdk import UnreadableSong

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["ZipFiles"]

MAX_ENTRIES: Final = 20_000
MAX_DIRECTORY: Final = 16 * 1024 * 1024
MAX_SOUND: Final = 4 * 1024**3
MAX_SOUNDS: Final = 8 * 1024**3
"""Bytes of all stems of a pack: each is copied once when it is first played."""
_ENCRYPTED: Final = 0x1
_BUFFER: Final = 64 * 1024
_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_MAX_COMMENT: Final = 65_535


class ZipFiles(PackFiles):
    """Raises UnreadableSong for what is no ZIP archive, or one that breaks the rules of packs:
    stored and deflated entries only, none encrypted."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file, _fenced("the archive"):
            _check_directory(file)
        with _fenced("the archive"):
            self._archive = zipfile.ZipFile(path)
        try:
            for entry in self._archive.infolist():
                _check_entry(entry)
        except BaseException:
            self._archive.close()
            raise

    def size(self, name: str) -> int:
        return self._entry(name).file_size

    def read(self, name: str, limit: int) -> bytes:
        content = self.head(name, limit + 1)
        if len(content) > limit:
            raise UnreadableSong(f"{name} is larger than {limit} bytes")
        return content

    def head(self, name: str, count: int) -> bytes:
        entry = self._entry(name)
        with _fenced(name), self._archive.open(entry) as file:
            return file.read(count)

    def open(self, name: str) -> tuple[BinaryIO, Path | None]:
        entry = self._entry(name)
        if entry.file_size > MAX_SOUND:
            raise MissingFile(name)
        with _fenced(name):
            stream = _EntryStream(self._archive.open(entry), name)
        return io.BufferedReader(stream, _BUFFER), None

    def path(self, name: str) -> Path | None:
        return None

    def check_sounds(self, names: Iterable[str]) -> None:
        """What counts is what the directory says: no more than that is ever inflated."""
        sizes = (entry.file_size for name in names if (entry := self._found(name)) is not None)
        if sum(size for size in sizes if size <= MAX_SOUND) > MAX_SOUNDS:
            raise UnreadableSong(f"its stems are larger than {MAX_SOUNDS} bytes when unpacked")

    def close(self) -> None:
        """Streams that were given out stay open."""
        self._archive.close()

    def _entry(self, name: str) -> zipfile.ZipInfo:
        found = self._found(name)
        if found is None:
            raise MissingFile(name)
        return found

    def _found(self, name: str) -> zipfile.ZipInfo | None:
        names = self._archive.NameToInfo
        # Archivers that do not say that they write UTF-8 are read as code page 437.
        found = names.get(name) or names.get(name.encode().decode("cp437"))
        return None if found is None or found.is_dir() else found


class _EntryStream(io.RawIOBase):
    """An entry; what zipfile raises while it is read, in words of ours."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        super().__init__()
        self._inner = file
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)
        with _fenced(self._name):
            piece = self._inner.read(len(target))
        target[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = 0) -> int:
        with _fenced(self._name):
            return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def close(self) -> None:
        self._inner.close()
        super().close()


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise UnreadableSong("the archive is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableSong("the archive uses a compression other than deflate")


def _check_directory(file: BinaryIO) -> None:
    """Looks at the directory's size before zipfile loads it whole (APPNOTE.TXT, 4.3.14-16)."""
    size = file.seek(0, 2)
    length = min(size, _END.size + _MAX_COMMENT)
    file.seek(size - length)
    tail = file.read(length)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise UnreadableSong("not a ZIP archive")
    _, _, _, _, entries, directory, _, _ = _END.unpack_from(tail, at)
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size : at].startswith(b"PK\6\7"):
        offset = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2]
        if offset + _END_64.size > size:
            raise UnreadableSong("the archive is damaged")
        file.seek(offset)
        _, _, _, _, _, _, _, entries, directory, _ = _END_64.unpack(file.read(_END_64.size))
    if entries > MAX_ENTRIES or directory > MAX_DIRECTORY:
        raise UnreadableSong(f"the archive has more than {MAX_ENTRIES} entries")
    file.seek(0)


@contextmanager
def _fenced(what: str) -> Iterator[None]:
    """What zipfile raises for damaged archives, in words of ours."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # zipfile: a compression that it does not know
        RuntimeError,
        struct.error,
        ValueError,
        OverflowError,
    ):
        raise UnreadableSong(f"{what} is damaged") from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # a seek to where no file can be
            raise UnreadableSong(f"{what} is damaged") from None
        raise
