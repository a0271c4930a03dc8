"""The archive file: a ZIP (ZIP64 where needed), deflated, its manifest last."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol

from host.backup.manifest import MANIFEST_NAME, Entry, Kind, Manifest
from plugin_sdk import Invalid, NotFound

__all__ = ["Archive", "ArchiveWriter", "Progress"]

Progress = Callable[[str, int, int], object]
"""(what is being done, bytes done, bytes in all or 0 when that is not known)"""

_CHUNK: Final = 1024 * 1024
_LEVEL: Final = 3
_MAX_MANIFEST: Final = 512 * 1024 * 1024
# NotImplementedError is zipfile's word for a compression that it does not know.
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes: ...


class ArchiveWriter:
    """Adds members one after the other; nothing is held in memory but what the manifest says."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._progress = progress
        self.entries: list[Entry] = []
        self._done = 0

    def add(
        self,
        kind: Kind,
        name: str,
        of: str,
        stream: Readable,
        *,
        content_type: str = "",
        mode: int = 0,
    ) -> None:
        """Writes a stream to its end. Raises what the stream raises."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as member:
            while chunk := stream.read(_CHUNK):
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self._done += len(chunk)
                self._progress(of, self._done, 0)
        self.entries.append(Entry(name, kind, of, size, digest.hexdigest(), content_type, mode))

    def finish(self, manifest: Manifest) -> None:
        """Writes manifest and directory."""
        self._zip.writestr(MANIFEST_NAME, manifest.as_json())
        self._zip.close()

    def abandon(self) -> None:
        """Ends without a usable archive."""
        self._zip.fp = None  # its destructor would write a directory


class Archive:
    """An archive that is read. A context manager; raises NotFound, or Invalid for a file that is
    no archive of ours."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        if not path.is_file():
            raise NotFound(f'There is no file "{path}".')
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise self._damaged(error) from error
        try:
            self.manifest = self._read_manifest()
            self._compare()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def check(self, progress: Progress) -> None:
        """Reads everything and compares sizes and hashes. Raises Invalid."""
        total, done = self.manifest.size, 0
        for entry in self.manifest.entries:
            with self.open(entry) as stream:
                while chunk := stream.read(_CHUNK):
                    done += len(chunk)
                    progress(entry.of, done, total)

    def extract(self, entry: Entry, path: Path) -> None:
        """Writes a member into a new file, checked again. Raises Invalid."""
        with self.open(entry) as stream, path.open("xb") as file:
            while chunk := stream.read(_CHUNK):
                file.write(chunk)

    @contextmanager
    def open(self, entry: Entry) -> Iterator[CheckedStream]:
        """The content; reading it to its end raises Invalid unless it is what was archived."""
        try:
            member = self._zip.open(entry.name)
        except (*_DAMAGE, KeyError, RuntimeError) as error:
            raise self._damaged(error) from error
        with member:
            yield CheckedStream(member, entry, self._damaged)

    def _read_manifest(self) -> Manifest:
        try:
            info = self._zip.getinfo(MANIFEST_NAME)
            if info.file_size > _MAX_MANIFEST:
                raise Invalid(f'"{self._name}" has a manifest that is too large.')
            with self._zip.open(info) as member:
                content = member.read(_MAX_MANIFEST + 1)
        except KeyError:
            raise Invalid(
                f'"{self._name}" is no backup: it has no {MANIFEST_NAME} (is it complete?).'
            ) from None
        except (*_DAMAGE, RuntimeError) as error:
            raise self._damaged(error) from error
        try:
            return Manifest.parse(content)
        except Invalid as error:
            raise Invalid(f'"{self._name}" cannot be used. {error.message}') from None

    def _compare(self) -> None:
        """The ZIP's directory against the manifest, before anything is unpacked."""
        infos = self._zip.infolist()
        members = {info.filename: info.file_size for info in infos}
        if len(members) != len(infos) or len(members) != len(self.manifest.entries) + 1:
            raise Invalid(f'"{self._name}" does not hold what its manifest lists.')
        for entry in self.manifest.entries:
            if members.get(entry.name) != entry.size:
                raise Invalid(f'"{self._name}" does not hold "{entry.name[:80]}" as listed.')

    def _damaged(self, error: BaseException) -> Invalid:
        return Invalid(f'"{self._name}" is damaged, or no backup: {error}')


class CheckedStream:
    """A member on its way out: never more bytes than were listed, and only the right ones."""

    def __init__(
        self, member: Readable, entry: Entry, damaged: Callable[[BaseException], Invalid]
    ) -> None:
        self._member = member
        self._entry = entry
        self._damaged = damaged
        self._left = entry.size
        self._digest = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        try:
            chunk = self._member.read(wanted) if wanted else b""
            if not chunk:
                self._finish()
        except _DAMAGE as error:
            raise self._damaged(error) from error
        self._left -= len(chunk)
        self._digest.update(chunk)
        return chunk

    def readable(self) -> bool:
        return True

    def _finish(self) -> None:
        rest = self._member.read(1)  # also has the ZIP compare its own checksum
        if rest or self._left or self._digest.hexdigest() != self._entry.sha256:
            raise zipfile.BadZipFile(f'"{self._entry.of[:80]}" is not what was archived')
