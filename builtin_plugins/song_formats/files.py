"""The files of a pack, whether it is a folder or a ZIP archive, by their names in the manifest."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from plugin_sdk import UnreadableSong

__all__ = ["FolderFiles", "MissingFile", "PackFiles", "check_pointer"]

MAX_POINTER: Final = 1024


class MissingFile(Exception):
    """The pack has no such file."""


class PackFiles(Protocol):
    """Names are those of the manifest, relative to the pack's root."""

    def size(self, name: str) -> int:
        """In bytes. Raises MissingFile."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The whole content. Raises MissingFile, and UnreadableSong beyond ``limit`` bytes."""
        ...

    def head(self, name: str, count: int) -> bytes:
        """The first bytes. Raises MissingFile, UnreadableSong."""
        ...

    def open(self, name: str) -> tuple[BinaryIO, Path | None]:
        """A stream that can be sought, open beyond `close`, and the file that holds just these
        bytes, if one does. Raises MissingFile, UnreadableSong."""
        ...

    def path(self, name: str) -> Path | None:
        """The file that holds just these bytes, if one does. Raises MissingFile."""
        ...

    def check_sounds(self, names: Iterable[str]) -> None:
        """Raises UnreadableSong when the files of these names, each as often as it is named, are
        more than may be unpacked of one pack."""
        ...

    def close(self) -> None: ...


class FolderFiles(PackFiles):
    """A pack that is a folder; also a loose song. A link that leads out of it is a missing file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._real: Path | None = None

    def size(self, name: str) -> int:
        return self._file(name).stat().st_size

    def read(self, name: str, limit: int) -> bytes:
        content = self.head(name, limit + 1)
        if len(content) > limit:
            raise UnreadableSong(f"{name} is larger than {limit} bytes")
        return content

    def head(self, name: str, count: int) -> bytes:
        with self._file(name).open("rb") as file:
            return file.read(count)

    def open(self, name: str) -> tuple[BinaryIO, Path | None]:
        path = self._file(name)
        return path.open("rb"), path

    def path(self, name: str) -> Path | None:
        return self._file(name)

    def check_sounds(self, names: Iterable[str]) -> None:
        """They are read in place: nothing is unpacked."""

    def close(self) -> None:
        return None

    def _file(self, name: str) -> Path:
        """The regular file of this name, below the folder also when links are followed."""
        parts = name.split("/")
        if "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise MissingFile(name)
        path = self._folder.joinpath(*parts)
        with suppress(OSError, RuntimeError):  # missing, or links in a circle
            if self._real is None:
                self._real = self._folder.resolve(strict=True)
            real = path.resolve(strict=True)
            if real.is_relative_to(self._real) and stat.S_ISREG(real.stat().st_mode):
                return real
        raise MissingFile(name)


def check_pointer(name: str) -> bool:
    """Whether a manifest may point to it: POSIX, relative, without ``..``, empty segments,
    ``:`` or a backslash (songs contract, 9.1)."""
    segments = name.split("/")
    return (
        len(name) <= MAX_POINTER
        and not any(c in name for c in ":\\\0")
        and not any(segment in ("", "..") for segment in segments)
    )
