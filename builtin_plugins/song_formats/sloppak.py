"""The format ``sloppak``: open song packs, feedpak by their present name (songs contract, 9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from builtin_plugins.song_formats import charts
from builtin_plugins.song_formats.archive import ZipFiles
from builtin_plugins.song_formats.arrangement_json import (
    Timeline,
    arrangement_chart,
    own_timeline,
    side_timeline,
)
from builtin_plugins.song_formats.files import FolderFiles, MissingFile, PackFiles
from builtin_plugins.song_formats.json_text import MAX_DATA_BYTES, parse_data
from builtin_plugins.song_formats.manifest import (
    MAX_MANIFEST,
    Manifest,
    ManifestArrangement,
    ManifestStem,
    parse_manifest,
    parse_tuning,
)
from builtin_plugins.song_formats.parts import cover_of, song_tuning
from builtin_plugins.song_formats.pictures import HEAD, MAX_PICTURE, picture_type
from builtin_plugins.song_formats.sounds import sound_type
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

__all__ = ["SloppakFormat"]

_MANIFESTS = ("manifest.yaml", "manifest.yml")
_FREE_COVERS = ("cover.png", "cover.jpg", "cover.jpeg", "cover.webp")


class SloppakFormat(SongFormat):
    """Reads packs, folders and ZIP archives alike."""

    name = "sloppak"
    suffixes = frozenset({".sloppak", ".feedpak"})

    def metadata(self, source: SongSource) -> SongMetadata:
        with _pack(source.path) as pack:
            return pack.metadata()

    def chart(self, source: SongSource, index: int) -> SongChart:
        with _pack(source.path) as pack:
            return pack.chart(index)

    def cover(self, source: SongSource) -> SongCover | None:
        with _pack(source.path) as pack:
            return pack.cover()

    def stem(self, source: SongSource, index: int) -> SongStream:
        with _pack(source.path) as pack:
            return pack.stem(index)


@contextmanager
def _pack(path: Path) -> Iterator[_Pack]:
    files: PackFiles = FolderFiles(path) if path.is_dir() else ZipFiles(path)
    try:
        yield _Pack(files)
    finally:
        files.close()


class _Pack:
    """An open pack with its manifest."""

    def __init__(self, files: PackFiles) -> None:
        self._files = files
        self._read: dict[str, Any] = {}
        self._manifest = _read_manifest(files)
        files.check_sounds(each.file for each in self._manifest.stems)
        # Stable, so that inside a rank the manifest's order stays.
        self._ordered = sorted(
            self._manifest.arrangements, key=lambda each: arrangement_rank(each.name)
        )

    def metadata(self) -> SongMetadata:
        manifest = self._manifest
        documents = {id(each): self._document(each) for each in manifest.arrangements}
        return SongMetadata(
            title=manifest.title,
            artist=manifest.artist,
            album=manifest.album,
            year=manifest.year,
            duration=manifest.duration,
            tuning=song_tuning(
                (each.name, _stated_tuning(each, documents[id(each)]))
                for each in manifest.arrangements
            ),
            arrangements=tuple(
                SongArrangement(each.name, _count(documents[id(each)], each))
                for each in self._ordered
            ),
            stems=tuple(self._stem(each) for each in manifest.stems),
            has_lyrics=bool(self._lyrics()),
            has_cover=self._cover_file() is not None,
            extra=manifest.extra,
        )

    def chart(self, index: int) -> SongChart:
        if not 0 <= index < len(self._ordered):
            raise NotFound(f"This song has no arrangement {index}.")
        entry = self._ordered[index]
        document = self._document(entry)
        try:
            chart = arrangement_chart({} if entry.file is None else document, entry)
        except UnreadableSong:
            raise NotFound("The chart of this arrangement cannot be read.") from None
        timeline = self._timeline()
        return replace(
            chart,
            beats=timeline.beats,
            sections=timeline.sections,
            lyrics=self._lyrics() or None,
        )

    def cover(self) -> SongCover | None:
        return cover_of(self._files, self._cover_file())

    def stem(self, index: int) -> SongStream:
        stems = self._manifest.stems
        if not 0 <= index < len(stems):
            raise NotFound(f"This song has no stem {index}.")
        stem = stems[index]
        try:
            size = self._files.size(stem.file)
            stream, path = self._files.open(stem.file)
        except MissingFile:
            raise NotFound("The file of this stem is missing in the pack.") from None
        return SongStream(stream, sound_type(stem.file, stem.codec), size, path)

    def _stem(self, stem: ManifestStem) -> SongStem:
        found = SongStem(stem.id, stem.default, stem.language)
        try:
            size = self._files.size(stem.file)
        except MissingFile:
            return found
        return replace(found, media_type=sound_type(stem.file, stem.codec), size=size)

    def _document(self, entry: ManifestArrangement) -> Any:
        """The arrangement's file; None when it is missing or broken."""
        return None if entry.file is None else self._data(entry.file)

    def _data(self, name: str) -> Any:
        """A file's value, read once; None when it is missing or broken."""
        if name not in self._read:
            self._read[name] = None
            with suppress(MissingFile, UnreadableSong):
                self._read[name] = parse_data(self._files.read(name, MAX_DATA_BYTES), name)
        return self._read[name]

    def _lyrics(self) -> list[charts.Item]:
        name = self._manifest.lyrics
        return [] if name is None else charts.lyrics(self._data(name))

    def _timeline(self) -> Timeline:
        """Beats, and sections separately: those of the side-file, else those of the first
        arrangement in the manifest's order that has any (songs contract, 8.3.6)."""
        name = self._manifest.timeline
        found = Timeline() if name is None else side_timeline(self._data(name))
        for entry in self._manifest.arrangements:
            if found.beats and found.sections:
                break
            own = own_timeline(self._document(entry))
            found = Timeline(found.beats or own.beats, found.sections or own.sections)
        return found

    def _cover_file(self) -> tuple[str, str] | None:
        """Name and type of the picture."""
        named = self._manifest.cover
        names = (named,) if named is not None else ()
        for name in _FREE_COVERS if self._manifest.free_cover else names:
            with suppress(MissingFile, UnreadableSong):
                media_type = picture_type(self._files.head(name, HEAD))
                if media_type is not None and self._files.size(name) <= MAX_PICTURE:
                    return name, media_type
        return None


def _read_manifest(files: PackFiles) -> Manifest:
    for name in _MANIFESTS:
        with suppress(MissingFile):
            return parse_manifest(files.read(name, MAX_MANIFEST))
    raise UnreadableSong("there is no manifest.yaml")


def _count(document: Any, entry: ManifestArrangement) -> int:
    try:
        return arrangement_chart(document, entry).count()
    except UnreadableSong:
        return 0


def _stated_tuning(entry: ManifestArrangement, document: Any) -> tuple[int, ...] | None:
    if entry.tuning is not None or not isinstance(document, dict):
        return entry.tuning
    return parse_tuning(document.get("tuning"))
