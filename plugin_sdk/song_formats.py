"""Formats of songs: what a reader of packs is, and what it answers."""

from __future__ import annotations

import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Final

from plugin_sdk.errors import ProviderError
from plugin_sdk.song_charts import SongChart

__all__ = [
    "SongArrangement",
    "SongCover",
    "SongFormat",
    "SongMetadata",
    "SongSource",
    "SongStem",
    "SongStream",
    "UnreadableSong",
    "song_signature",
]

_MIX_TYPES: Final = ("audio/ogg", "audio/wav")


class UnreadableSong(ProviderError):
    """This song cannot be read; the sentence says why, for people, without any path of the
    machine. It fails that song only."""

    default_message = "This song cannot be read."


@dataclass(frozen=True, slots=True)
class SongSource:
    """Where a song lies: a file or folder ``path`` below the library folder ``root``."""

    path: Path
    root: Path

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders between the library folder and the song, outermost first."""
        return self.path.relative_to(self.root).parts[:-1]


@dataclass(frozen=True, slots=True)
class SongArrangement:
    """``notes``: single notes and chords of the chart, a chord counts once; 0 when the chart
    cannot be read."""

    name: str
    notes: int = 0


@dataclass(frozen=True, slots=True)
class SongStem:
    """``media_type`` and ``size`` (bytes) are None when the file is missing in the song. A size
    that is known only after a conversion is None beside a type."""

    stem_id: str
    default: bool = False
    language: str | None = None
    media_type: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class SongMetadata:
    """Everything of a song that its file says, but the charts (songs contract, 3.1).

    ``arrangements`` are in the order of the highway's index: by `plugin_sdk.arrangement_rank`,
    inside a rank in the file's order. ``duration`` is in seconds, finite and >= 0. ``tuning``
    holds semitones, lowest string first. ``has_cover``: there is a picture file; whether it can
    be decoded is for the caller to judge. ``extra`` holds JSON values that are kept, not shown.
    """

    title: str
    artist: str
    album: str = ""
    year: int | None = None
    duration: float = 0.0
    tuning: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
    arrangements: tuple[SongArrangement, ...] = ()
    stems: tuple[SongStem, ...] = ()
    has_lyrics: bool = False
    has_cover: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def mix(self) -> int | None:
        """The index of the stem that is the full mix (songs contract, 5.3), of those that have a
        file: the id ``full``, else the first default, the first OGG or WAV, the first."""
        there = [(i, stem) for i, stem in enumerate(self.stems) if stem.media_type is not None]
        full = (i for i, stem in there if stem.stem_id.casefold() == "full")
        default = (i for i, stem in there if stem.default)
        plain = (i for i, stem in there if stem.media_type in _MIX_TYPES)
        every = (i for i, _ in there)
        for candidates in (full, default, plain, every):
            if (found := next(candidates, None)) is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class SongCover:
    """A picture as it lies in the song: ``image/png``, ``image/jpeg`` or ``image/webp``. ``path``
    names the file that holds exactly these bytes, if there is one: it may be served in place."""

    content: bytes
    media_type: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class SongStream:
    """Sound, open for reading from its start; close it, or use it in ``with``.

    ``stream`` can be sought. ``path`` names the file that holds exactly these bytes, if there is
    one: it may be read in place. Without one, seeking may cost what lies before, so copy the
    stream once and serve the copy.
    """

    stream: BinaryIO
    media_type: str
    size: int
    path: Path | None = None

    def close(self) -> None:
        self.stream.close()

    def __enter__(self) -> SongStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SongFormat(ABC):
    """The provider type ``song_format``: a reader of songs. All that are registered are active
    side by side; of two that claim one path the one registered first reads it.

    ``name`` is the ``format`` that the library shows. The registered implementation is pickled
    and sent to worker processes, anew for each scan: its module must be importable, and it holds
    no context, lock or open file. A reader that needs settings defines ``__reduce__`` and sends
    a plain reader made with their present values. It may be called by several threads at once,
    keeps nothing open between calls, writes nothing into the library, and follows no symbolic
    link out of the song. Reading takes 60 seconds at most, then it is stopped.

    Each method raises `UnreadableSong` for a song that is corrupt or refused, and OSError for
    one that vanished; everything else that is raised counts as unreadable too.
    ``plugin_sdk.testing.SongFormatSuite`` says in tests what each method promises.
    """

    name: ClassVar[str]
    suffixes: ClassVar[frozenset[str]] = frozenset()
    """Ends of file and folder names that the format claims, in lower case, such as
    ``.sloppak``. Empty: `claims` is asked about every folder that nobody else claims."""

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        """Whether this is a song of the format.

        Asked for names that end as ``suffixes`` say, and, of a format without any, for folders.
        ``files`` are the names of the regular files that lie directly in a folder; None when
        ``path`` is a file itself. A folder that is claimed is not searched further. Opens as few
        files as can be: a scan asks for every folder."""
        return path.name.lower().endswith(tuple(self.suffixes))

    def signature(self, source: SongSource) -> str:
        """A text that changes whenever the song's content changes, made without opening it."""
        return song_signature(source.path)

    @abstractmethod
    def metadata(self, source: SongSource) -> SongMetadata:
        """Reads the whole song once, every chart included: what can be wrong shows here."""

    @abstractmethod
    def chart(self, source: SongSource, index: int) -> SongChart:
        """The chart of ``metadata(source).arrangements[index]``. Raises NotFound beyond the last
        arrangement, and when this one's chart cannot be read though the song can."""

    @abstractmethod
    def cover(self, source: SongSource) -> SongCover | None:
        """The picture, at most 32 MiB; None when there is none."""

    @abstractmethod
    def stem(self, source: SongSource, index: int) -> SongStream:
        """The sound of ``metadata(source).stems[index]``, bytes as they are in the song. Raises
        NotFound beyond the last stem, and when its file is missing."""


def song_signature(path: Path) -> str:
    """The usual signature (songs contract, 4.3): of a file its mtime in nanoseconds and its size;
    of a folder a hash over names, sizes and times of all regular files inside, since a folder's
    own mtime misses edits in place. Symbolic links inside are not followed. Raises OSError."""
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        return f"{found.st_mtime_ns}-{found.st_size}"
    prefix = len(os.fspath(path)) + 1
    lines = sorted(
        f"{entry.path[prefix:]}\0{info.st_size}\0{info.st_mtime_ns}\n"
        for entry, info in _regular_files(path)
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _regular_files(folder: Path) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    pending = [os.fspath(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry, entry.stat(follow_symlinks=False)
