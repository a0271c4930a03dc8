"""Finding songs below the song folder (songs contract, 4.2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from builtin_plugins.songs.asking import Asker, Silent
from builtin_plugins.songs.scan_state import Cancelled
from plugin_sdk import Logger, SongFormat, SongSource

__all__ = ["Candidate", "Walk", "plain_formats"]

_SKIPPED: Final = (".", "rs1compatibility")
_OTHER_PLATFORM: Final = {"pc": "_m.psarc", "mac": "_p.psarc"}


class Candidate(NamedTuple):
    """A song that was found. ``path`` is relative, ``/`` between segments, as the file system
    spells it; ``mtime`` in seconds."""

    path: str
    format: str
    signature: str
    mtime: float


_SETTLED: Final = Candidate("", "", "", 0.0)
"""In the place of one that needs no look any more."""


@dataclass(slots=True)
class Walk:
    """One walk below ``root``. Formats are asked in the order of ``formats``.

    ``known``: signatures by path of songs that need no look when theirs is the same; their paths
    go into ``unchanged``. ``named``: the formats of those that `plain_formats` does not hold.
    ``shown``: all paths that have songs. ``closed`` gets the paths of folders that could not be
    listed: what lies there is neither found nor gone. ``faults`` gets songs about which a reader
    raised what none may raise. ``silent`` gets, by format, the path at which a reader did not
    answer any more, and ``unasked`` all for which it would have been asked: they stay as they
    are. The root itself raises OSError.
    """

    root: str
    formats: Sequence[SongFormat]
    known: Mapping[str, str]
    named: Mapping[str, str]
    shown: Container[str]
    log: Logger
    asker: Asker
    platform: str = "both"
    closed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    faults: list[Candidate] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)
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
        self._plain = plain_formats(self.formats)

    def songs(self) -> Iterator[Candidate]:
        """In no particular order."""
        pending = [""]
        while pending:
            folder = pending.pop()
            try:
                folders, files = _listed(self.root, folder)
            except OSError as error:
                if not folder:
                    raise
                self.log.warning("A folder of songs cannot be listed: %s", error.strerror)
                self.closed.append(f"{folder}/")
                continue
            if folder:
                names = [entry.name for entry in files]
                found = self._fenced(folder, partial(self._folder, folder, names))
                if found is not None:
                    if found is not _SETTLED:
                        yield found
                    continue
            prefix = f"{folder}/" if folder else ""
            pending += [prefix + name for name in folders if not _is_skipped(name)]
            yield from self._files(prefix, files)

    def _files(self, prefix: str, entries: Sequence[os.DirEntry[str]]) -> Iterator[Candidate]:
        """Nearly all of them are known: then the name and the facts of the file are enough."""
        suffixes, known, named = self._suffixes, self.known, self.named
        other = _OTHER_PLATFORM.get(self.platform, "\0")
        for entry in entries:
            name = entry.name.lower()
            if not name.endswith(suffixes) or name.endswith(other) or name.startswith(_SKIPPED):
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:  # it has just gone
                continue
            path = prefix + entry.name
            signature = f"{info.st_mtime_ns}-{info.st_size}"
            if known.get(path) == signature and path not in named:
                self.unchanged.append(path)
                continue
            full = Path(entry.path)
            found = self._fenced(path, partial(self._file, path, full, signature, info))
            if found is not None and found is not _SETTLED:
                yield found

    def _fenced(self, path: str, ask: Callable[[], Candidate | None]) -> Candidate | None:
        """What a reader raises is the matter of this song alone."""
        try:
            return ask()
        except Cancelled:
            raise
        except OSError:  # it goes while we look
            return None
        except Silent as error:
            if error.first:
                self.silent[error.format] = path
            self.unasked.append(path)
            is_song = path in self.shown or path.lower().endswith(self._suffixes)
            return _SETTLED if is_song else None  # another folder may hold songs
        except (Exception, SystemExit) as error:
            self.log.warning("%s: %r", path, error)
            self.faults.append(Candidate(path, "", "", 0.0))
            return _SETTLED

    def _file(
        self, path: str, full: Path, signature: str, info: os.stat_result
    ) -> Candidate | None:
        for each in self._of_name(full.name.lower()):
            if self.asker.claims(each, full, None):
                if each.name not in self._plain:
                    signature = self.asker.signature(each, SongSource(full, Path(self.root)))
                return Candidate(path, each.name, signature, info.st_mtime)
        return None

    def _folder(self, path: str, names: Sequence[str]) -> Candidate | None:
        full = Path(self.root, path)
        known = self.known.get(path)
        asked = self._of_name(path.lower()) or self._open
        source = SongSource(full, Path(self.root))
        for each in asked:
            if known is not None and self.named.get(path, each.name) == each.name:
                signature = self.asker.signature(each, source)
                if signature == known:
                    self.unchanged.append(path)
                    return _SETTLED
            if self.asker.claims(each, full, names):
                signature = self.asker.signature(each, source)
                return Candidate(path, each.name, signature, full.stat().st_mtime)
        return None

    def _of_name(self, lowered: str) -> list[SongFormat]:
        if not lowered.endswith(self._suffixes):
            return []
        return [
            each
            for each in self.formats
            if each.suffixes and lowered.endswith(tuple(each.suffixes))
        ]


def plain_formats(formats: Iterable[SongFormat]) -> frozenset[str]:
    """Names of those that tell a changed song by the time and size of its files alone."""
    return frozenset(each.name for each in formats if type(each).signature is SongFormat.signature)


def _is_skipped(name: str) -> bool:
    return name.lower().startswith(_SKIPPED)


def _listed(root: str, folder: str) -> tuple[list[str], list[os.DirEntry[str]]]:
    """Names of folders, and files; links are neither."""
    folders: list[str] = []
    files: list[os.DirEntry[str]] = []
    with os.scandir(os.path.join(root, folder) if folder else root) as entries:  # noqa: PTH118
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                files.append(entry)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
    return folders, files
