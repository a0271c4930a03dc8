"""The format ``loose``: a folder with sound and charts in XML (songs contract, section 11)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unicodedata import normalize

from builtin_plugins.song_formats.arrangement_xml import read_arrangement, read_vocals
from builtin_plugins.song_formats.charts import Item
from builtin_plugins.song_formats.files import FolderFiles, MissingFile
from builtin_plugins.song_formats.loose_manifest import LooseManifest, read_loose_manifest
from builtin_plugins.song_formats.parts import cover_of, song_tuning
from builtin_plugins.song_formats.pictures import HEAD, MAX_PICTURE, picture_type
from builtin_plugins.song_formats.scores import Score
from builtin_plugins.song_formats.sounds import sound_type
from builtin_plugins.song_formats.values import clean_text
from builtin_plugins.song_formats.wem import convert_wem, wem_type
from builtin_plugins.song_formats.xml_text import MAX_XML, root_name
from plugin_sdk import (
    NotFound,
    SongArrangement,
    SongChart,
    SongCover,
    SongFormat,
    SongMetadata,
    SongSource,
    SongStem,
    SongStream,
    UnreadableSong,
    arrangement_rank,
)

__all__ = ["LooseFormat"]

_AUDIO: Final = (".ogg", ".opus", ".wav", ".mp3", ".flac", ".wem")
_PACKS: Final = (".sloppak", ".feedpak", ".psarc")
_COVERS: Final = tuple(
    name + extension
    for name in ("album_art", "cover", "album", "art", "folder")
    for extension in (".jpg", ".jpeg", ".png", ".webp")
)
_KINDS: Final = (
    ("lead", "Lead"),
    ("rhythm", "Rhythm"),
    ("bass", "Bass"),
    ("combo", "Combo"),
    ("chord", "Combo"),
    ("humstrum", "Combo"),
)
_PARTS: Final = {
    "part real_guitar": "Lead",
    "part real_guitar_22": "Rhythm",
    "part real_bass": "Bass",
    "part guitar_bonus": "Bonus Lead",
    "part real_bass_22": "Bass 2",
}


class LooseFormat(SongFormat):
    """Reads folders; it has no suffix of its own."""

    name = "loose"

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        if files is None or path.name.lower().endswith(_PACKS):
            return False
        shown = [name for name in files if not name.startswith(".")]
        charts = sorted(filter(_is_xml, shown))
        if not charts or not any(map(_is_audio, shown)):
            return False
        folder = FolderFiles(path)
        return any(_root(folder, name) == "song" for name in charts)

    def metadata(self, source: SongSource) -> SongMetadata:
        return _Folder(source).metadata()

    def chart(self, source: SongSource, index: int) -> SongChart:
        return _Folder(source).chart(index)

    def cover(self, source: SongSource) -> SongCover | None:
        return _Folder(source).cover()

    def stem(self, source: SongSource, index: int) -> SongStream:
        return _Folder(source).stem(index)


@dataclass(frozen=True, slots=True)
class _Arrangement:
    """``score`` is None when the chart cannot be read."""

    name: str
    score: Score | None


class _Folder:
    """A song's folder, listed once."""

    def __init__(self, source: SongSource) -> None:
        self._source = source
        self._files = FolderFiles(source.path)
        self._names = sorted(_regular_names(source.path))
        self._roots = {name: _root(self._files, name) for name in self._names if _is_xml(name)}

    def metadata(self) -> SongMetadata:
        manifest = read_loose_manifest(self._files, self._names)
        arrangements = self._arrangements(manifest)
        scores = [each.score for each in arrangements if each.score is not None]
        if not scores:
            raise UnreadableSong("no arrangement of this folder can be read")
        title, album, artist = self._folder_names()
        return SongMetadata(
            title=manifest.title or _stated(s.title for s in scores) or title,
            artist=manifest.artist or _stated(s.artist for s in scores) or artist,
            album=manifest.album or _stated(s.album for s in scores) or album,
            year=manifest.year if manifest.year is not None else _year(scores),
            duration=manifest.duration or next((s.length for s in scores if s.length), 0.0),
            tuning=manifest.tuning
            or song_tuning(
                (each.name, each.score.tuning if each.score else None) for each in arrangements
            ),
            arrangements=tuple(
                SongArrangement(each.name, each.score.count() if each.score else 0)
                for each in _ordered(arrangements)
            ),
            stems=self._stems(),
            has_lyrics=bool(self._lyrics()),
            has_cover=self._cover_file() is not None,
        )

    def chart(self, index: int) -> SongChart:
        manifest = read_loose_manifest(self._files, self._names)
        ordered = _ordered(self._arrangements(manifest))
        if not 0 <= index < len(ordered):
            raise NotFound(f"This song has no arrangement {index}.")
        score = ordered[index].score
        if score is None:
            raise NotFound("The chart of this arrangement cannot be read.")
        return score.chart(self._lyrics())

    def cover(self) -> SongCover | None:
        return cover_of(self._files, self._cover_file())

    def stem(self, index: int) -> SongStream:
        name = self._audio() if index == 0 else None
        if name is None:
            raise NotFound(f"This song has no stem {index}.")
        try:
            stream, path = self._files.open(name)
        except MissingFile:
            raise NotFound("The sound of this song is missing.") from None
        if path is None or not name.lower().endswith(".wem"):
            return SongStream(stream, sound_type(name), os.fstat(stream.fileno()).st_size, path)
        stream.close()
        media_type = wem_type()
        if media_type is None:
            raise NotFound("This sound needs vgmstream-cli or ffmpeg on the host.")
        converted = convert_wem(path)
        return SongStream(converted, media_type, os.fstat(converted.fileno()).st_size)

    def _arrangements(self, manifest: LooseManifest) -> list[_Arrangement]:
        """In the order of the files' names."""
        found = []
        for name, root in self._roots.items():
            if root != "song":
                continue
            score: Score | None = None
            with suppress(UnreadableSong, MissingFile):
                score = read_arrangement(self._files.read(name, MAX_XML), name)
            stated = manifest.names.get(name)
            found.append(_Arrangement(stated or _kind(name, score), score))
        return found

    def _lyrics(self) -> list[Item]:
        for name, root in self._roots.items():
            if root == "vocals":
                with suppress(UnreadableSong, MissingFile):
                    if found := read_vocals(self._files.read(name, MAX_XML), name):
                        return found
        return []

    def _stems(self) -> tuple[SongStem, ...]:
        name = self._audio()
        if name is None:
            return ()
        if name.lower().endswith(".wem"):
            return (SongStem("full", default=True, media_type=wem_type()),)
        size = self._files.size(name)
        return (SongStem("full", default=True, media_type=sound_type(name), size=size),)

    def _audio(self) -> str | None:
        """``audio.*``, ``song.*``, else the largest."""
        found = sorted(filter(_is_audio, self._names), key=_audio_rank)
        for base in ("audio", "song"):
            for name in found:
                if name.rpartition(".")[0].lower() == base:
                    return name
        return max(found, key=self._files.size, default=None)

    def _cover_file(self) -> tuple[str, str] | None:
        by_name = {name.lower(): name for name in reversed(self._names)}
        for wanted in _COVERS:
            name = by_name.get(wanted)
            if name is None:
                continue
            with suppress(MissingFile):
                media_type = picture_type(self._files.head(name, HEAD))
                if media_type is not None and self._files.size(name) <= MAX_PICTURE:
                    return name, media_type
        return None

    def _folder_names(self) -> tuple[str, str, str]:
        """Title, album and artist, from ``Artist/Album/Song`` below the library folder."""
        names = ("", "", *self._source.folders, self._source.path.name)
        artist, album, title = (normalize("NFC", clean_text(name)) for name in names[-3:])
        return title, album, artist


def _regular_names(folder: Path) -> list[str]:
    """Names of files; links that lead out of the folder are no files (see `FolderFiles`)."""
    files = FolderFiles(folder)
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):  # such as the shadows that archivers of the Mac leave
                continue
            try:
                if entry.is_symlink():
                    files.size(entry.name)
                elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                    continue
            except MissingFile:
                continue
            found.append(entry.name)
    return found


def _root(files: FolderFiles, name: str) -> str | None:
    try:
        stream, _ = files.open(name)
    except (MissingFile, OSError):
        return None
    with stream:
        return root_name(stream)


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _is_audio(name: str) -> bool:
    lowered = name.lower()
    return lowered.endswith(_AUDIO) and "preview" not in lowered


def _audio_rank(name: str) -> tuple[int, str]:
    extension = "." + name.lower().rpartition(".")[2]
    return _AUDIO.index(extension), name


def _kind(file_name: str, score: Score | None) -> str:
    base = file_name.rpartition(".")[0].lower()
    for word, kind in _KINDS:
        if word in base:
            return kind
    stated = score.arrangement if score is not None else ""
    return _PARTS.get(" ".join(stated.lower().split()), stated) or "Lead"


def _ordered(arrangements: Iterable[_Arrangement]) -> list[_Arrangement]:
    return sorted(arrangements, key=lambda each: arrangement_rank(each.name))


def _stated(texts: Iterable[str]) -> str:
    return next((each for each in texts if each), "")


def _year(scores: Iterable[Score]) -> int | None:
    stated = _stated(score.year for score in scores)
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) <= 4 else None
