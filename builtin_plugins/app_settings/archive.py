"""Reading ZIP files from anybody: names, sizes and contents are checked before they are used
(plugin contract, 7.3)."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from typing import BinaryIO, Final, NoReturn

from plugin_sdk import Invalid

__all__ = ["bad_bundle", "read_archive"]

_MAX_ENTRIES: Final = 200
_MAX_ENTRY_BYTES: Final = 1024 * 1024
_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_DIRECTORY_BYTES: Final = 1024 * 1024
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_END64_MARK: Final = b"PK\x06\x07"
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # zipfile: a compression that it does not know
    RuntimeError,
    OSError,
    ValueError,
)


def bad_bundle(message: str) -> Invalid:
    return Invalid(message, code="INVALID_BUNDLE")


def read_archive(file: BinaryIO) -> dict[str, bytes]:
    """Contents by name; nothing is written anywhere. Raises Invalid (INVALID_BUNDLE) for all that
    the contract refuses, in whatever entry it is."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive.infolist())
            return _contents(archive, entries)
    except _BROKEN as error:
        raise bad_bundle(f"The file cannot be read as ZIP: {error}.") from None


def _check_directory(file: BinaryIO) -> None:
    """Before the library makes an object of each entry: the directory must be small."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - 0xFFFF))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise bad_bundle("The file is no ZIP file.")
    count, directory_bytes = _END.unpack_from(tail, at)[4:6]
    if _END64_MARK in tail[max(0, at - 20) : at]:
        raise bad_bundle("The ZIP file is larger than any bundle (ZIP64).")
    if count > _MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        _too_many()


def _too_many() -> NoReturn:
    raise bad_bundle(f"The ZIP file holds more than {_MAX_ENTRIES} entries.")


def _checked(entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    if len(entries) > _MAX_ENTRIES:
        _too_many()
    names: set[str] = set()
    for entry in entries:
        # The library's own name ends at a NUL and has other separators.
        name = entry.orig_filename
        _check_name(name)
        if name in names:
            raise bad_bundle(f'The name "{_short(name)}" occurs twice.')
        names.add(name)
        if entry.flag_bits & _ENCRYPTED:
            raise bad_bundle(f'"{_short(name)}" is encrypted.')
        if entry.compress_type not in _METHODS:
            raise bad_bundle(f'"{_short(name)}" is packed in a way that is not supported.')
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise bad_bundle(f'"{_short(name)}" is a link or a device, not a file.')
    return [entry for entry in entries if not entry.orig_filename.endswith("/")]


def _check_name(name: str) -> None:
    # A folder's own entry, as many programs make them, ends with a slash.
    segments = name.removesuffix("/").split("/")
    bad = any(not each or each.startswith(".") for each in segments)
    if bad or any(c < " " or c == "\\" for c in name) or _DRIVE.match(name):
        raise bad_bundle(f'"{_short(name)}" is no name that a bundle may hold.')


def _contents(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """Counted while inflating: what an entry says of its own size is not believed."""
    found: dict[str, bytes] = {}
    left = _MAX_BYTES
    for entry in entries:
        with archive.open(entry) as file:
            content = file.read(min(_MAX_ENTRY_BYTES, left) + 1)
        left -= len(content)
        if len(content) > _MAX_ENTRY_BYTES or left < 0:
            raise bad_bundle("The ZIP file unfolds to more than a bundle may hold.")
        found[entry.orig_filename] = content
    return found


def _short(name: str) -> str:
    return name.encode("unicode_escape").decode()[:80]
