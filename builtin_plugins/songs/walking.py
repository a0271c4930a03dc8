"""Finding songs below the song folder (songs contract, 4.2)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from plugin_sdk import Logger, SongFormat, SongSource

__all__ = ["Candidate", "KnownSong", "Walk"]

_SKIPPED: Final = "rs1compatibility"
_OTHER_PLATFORM: Final = {"pc": "_m.psarc", "mac": "_p.psarc"}


class KnownSong(Protocol):
    @property
    def signature(self) -> str: ...
    @property
    def format(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A song that was found. ``path`` is relative, ``/`` between segments, as the file system
    spells it; ``mtime`` in seconds."""

    path: str
    format: str
    signature: str
    mtime: float


@dataclass(slots=True)
class Walk:
    """One walk below ``root``. Formats are asked in the order of ``formats``.

    ``known`` are the songs of the last walk by path: a file or folder with the same signature is
    taken for what it was. ``closed`` gets the paths of folders that could not be listed: what lies
    there is neither found nor gone. The root itself raises OSError.
    """

    root: str
    formats: Sequence[SongFormat]
    known: dict[str, KnownSong]
    log: Logger
    platform: str = "both"
    closed: list[str] = field(default_factory=list)
    _suffixed: dict[str, list[SongFormat]] = field(init=False, default_factory=dict)
    _open: list[SongFormat] = field(init=False, default_factory=list)
    _suffixes: tuple[str, ...] = field(init=False, default=())
    _plain: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        for each in self.formats:
            for suffix in each.suffixes:
                self._suffixed.setdefault(suffix, []).append(each)
            if not each.suffixes:
                self._open.append(each)
        self._suffixes = tuple(self._suffixed)
        self._plain = frozenset(
            each.name for each in self.formats if type(each).signature is SongFormat.signature
        )

    def songs(self) -> Iterator[Candidate]:
        """In no particular order."""
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                entries = _listed(self.root, folder)
            except OSError as error:
                if not folder:
                    raise
                self.log.warning("A folder of songs cannot be listed: %s", error.strerror)
                self.closed.append(f"{folder}/")
                continue
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
            if folder:
                found = self._folder(folder, names)
                if found is not None:
                    yield found
                    continue
            prefix = f"{folder}/" if folder else ""
            for entry in entries:
                name = entry.name
                if name[0] == "." or name[:16].lower() == _SKIPPED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(prefix + name)
                elif name.lower().endswith(self._suffixes):
                    candidate = self._file(prefix + name, entry)
                    if candidate is not None:
                        yield candidate

    def _file(self, path: str, entry: os.DirEntry[str]) -> Candidate | None:
        try:
            if not entry.is_file(follow_symlinks=False):
                return None
            info = entry.stat(follow_symlinks=False)
        except OSError:  # it has just gone
            return None
        lowered = entry.name.lower()
        other = _OTHER_PLATFORM.get(self.platform)
        if other is not None and lowered.endswith(other):
            return None
        signature = f"{info.st_mtime_ns}-{info.st_size}"
        known = self.known.get(path)
        if known is not None and known.format in self._plain and known.signature == signature:
            return Candidate(path, known.format, signature, info.st_mtime)
        full = Path(entry.path)
        for each in self._of_name(lowered):
            if each.claims(full, None):
                if each.name not in self._plain:
                    signature = each.signature(SongSource(full, Path(self.root)))
                return Candidate(path, each.name, signature, info.st_mtime)
        return None

    def _folder(self, path: str, names: Sequence[str]) -> Candidate | None:
        full = Path(self.root, path)
        known = self.known.get(path)
        asked = self._of_name(path.lower()) or self._open
        for each in asked:
            source = SongSource(full, Path(self.root))
            try:
                if known is not None and known.format == each.name:
                    signature = each.signature(source)
                    if signature == known.signature or each.claims(full, names):
                        return Candidate(path, each.name, signature, full.stat().st_mtime)
                elif each.claims(full, names):
                    signature = each.signature(source)
                    return Candidate(path, each.name, signature, full.stat().st_mtime)
            except OSError:  # it goes while we look
                return None
        return None

    def _of_name(self, lowered: str) -> list[SongFormat]:
        if not lowered.endswith(self._suffixes):
            return []
        return [
            each
            for each in self.formats
            if each.suffixes and lowered.endswith(tuple(each.suffixes))
        ]


def _listed(root: str, folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(os.path.join(root, folder) if folder else root) as entries:  # noqa: PTH118
        return list(entries)
