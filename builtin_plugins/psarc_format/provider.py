"""The format ``psarc``."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from builtin_plugins.psarc_format.charts import Item, Score, Tools, sng_lyrics, sng_score
from builtin_plugins.psarc_format.container import Container
from builtin_plugins.psarc_format.cover import png_of_dds
from builtin_plugins.psarc_format.keys import NO_KEYS, Keys
from builtin_plugins.psarc_format.sng import Sng, open_sng
from builtin_plugins.psarc_format.song import Contents, Part, find_contents, number, text, tuning
from plugin_sdk import (
    NotFound,
    Services,
    Settings,
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

__all__ = ["PsarcFormat", "PsarcReader"]

_TONES = ("Tone_A", "Tone_B", "Tone_C", "Tone_D")
_NOTES = ("NotesHard", "NotesMedium", "NotesEasy")
_GUITARS = frozenset({"lead", "rhythm", "combo"})


class PsarcReader(SongFormat):
    """Reads archives with the keys that it was made with; it can be sent to other processes.

    One cover is converted at a time: it may take 500 MB."""

    name = "psarc"
    suffixes = frozenset({".psarc"})

    def __init__(self, keys: Keys, tools: Tools) -> None:
        self._given = keys, tools
        self._drawing = threading.Lock()

    def _means(self) -> tuple[Keys, Tools]:
        """What it reads with."""
        return self._given

    def __reduce__(self) -> tuple[Callable[..., PsarcReader], tuple[Keys, Tools]]:
        return PsarcReader, self._means()

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        return files is None and path.name.lower().endswith(".psarc")

    def metadata(self, source: SongSource) -> SongMetadata:
        keys, tools = self._means()
        with Container(source.path, keys) as archive:
            return _Song(archive, keys, tools).metadata(source.path.stem)

    def chart(self, source: SongSource, index: int) -> SongChart:
        keys, tools = self._means()
        with Container(source.path, keys) as archive:
            return _Song(archive, keys, tools).chart(index)

    def cover(self, source: SongSource) -> SongCover | None:
        with self._drawing, Container(source.path, self._means()[0]) as archive:
            content = _art(archive, find_contents(archive))
        return None if content is None else SongCover(content, "image/png")

    def stem(self, source: SongSource, index: int) -> SongStream:
        keys, tools = self._means()
        with Container(source.path, keys) as archive:
            name = find_contents(archive).sound if index == 0 else None
            media_type = tools.wem_type()
            if name is None or media_type is None:
                raise NotFound(f"This song has no stem {index} that can be played here.")
            with tempfile.NamedTemporaryFile(suffix=".wem") as file:
                archive.copy(name, cast("BinaryIO", file))
                file.flush()
                stream = tools.convert_wem(Path(file.name))
        return SongStream(stream, media_type, os.fstat(stream.fileno()).st_size)


class PsarcFormat(PsarcReader):
    """As registered: it asks for keys and tools anew each time, and is pickled as a reader with
    those of that moment."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings = settings
        self._services = services
        self._drawing = threading.Lock()

    def _means(self) -> tuple[Keys, Tools]:
        tools: Tools = self._services.get("song_formats.tools")
        return Keys.of(self._settings), tools


@dataclass(frozen=True, slots=True)
class _Chart:
    """``score`` is None when it cannot be read."""

    part: Part
    score: Score | None

    @property
    def tuning(self) -> tuple[int, ...] | None:
        of_score = self.score.tuning if self.score is not None else None
        return tuning(self.part.attributes) or of_score

    @property
    def notes(self) -> int:
        """What the manifest states, else what the chart has."""
        if self.score is None:
            return 0
        for key in _NOTES:
            stated = number(self.part.attributes, key)
            if stated is not None:
                return int(stated)
        return self.score.count()


class _Song:
    def __init__(self, archive: Container, keys: Keys, tools: Tools) -> None:
        self._archive = archive
        self._keys = keys
        self._tools = tools
        self._contents: Contents = find_contents(archive)
        self._ordered = sorted(self._contents.parts, key=lambda part: arrangement_rank(part.name))

    def metadata(self, file_name: str) -> SongMetadata:
        charts = [_Chart(part, self._score(part)) for part in self._ordered]
        scores = [chart.score for chart in charts if chart.score is not None]
        if not scores:
            raise UnreadableSong("no arrangement of the archive can be read")
        parts = [chart.part for chart in charts]
        year = _stated(parts, "SongYear") or _first(score.year for score in scores)
        return SongMetadata(
            title=_stated(parts, "SongName") or _first(s.title for s in scores) or file_name,
            artist=_stated(parts, "ArtistName") or _first(s.artist for s in scores),
            album=_stated(parts, "AlbumName") or _first(s.album for s in scores),
            year=int(year) if year.isascii() and year.isdigit() and len(year) <= 4 else None,
            duration=_length(parts, scores),
            tuning=_song_tuning(charts),
            arrangements=tuple(SongArrangement(each.part.name, each.notes) for each in charts),
            stems=self._stems(),
            has_lyrics=self._contents.vocals is not None,
            has_cover=_art(self._archive, self._contents) is not None,
        )

    def chart(self, index: int) -> SongChart:
        if not 0 <= index < len(self._ordered):
            raise NotFound(f"This song has no arrangement {index}.")
        chart = _Chart(part := self._ordered[index], self._score(self._ordered[index]))
        if chart.score is None:
            raise NotFound("The chart of this arrangement cannot be read.")
        found = chart.score.chart(self._lyrics())
        cents = number(part.attributes, "CentOffset")
        return replace(
            found,
            tuning=chart.tuning or found.tuning,
            cent_offset=found.cent_offset if cents is None else cents,
        )

    def _score(self, part: Part) -> Score | None:
        """Raises UnreadableSong only when a key is missing: that is not the archive's fault."""
        try:
            if part.xml is not None:
                return self._tools.read_xml(self._archive.read(part.xml), part.xml)
            names = [text(part.attributes, key) for key in _TONES]
            base = text(part.attributes, "Tone_Base")
            return sng_score(self._sng(part), self._tools, names, base)
        except UnreadableSong as error:
            if error.message == NO_KEYS:
                raise
            return None

    def _sng(self, part: Part) -> Sng:
        name = part.sng or ""
        mac = "/macos/" in name.lower()
        return open_sng(self._archive.read(name), self._keys, mac=mac)

    def _lyrics(self) -> list[Item]:
        vocals = self._contents.vocals
        if vocals is None:
            return []
        try:
            if vocals.xml is not None:
                content = self._archive.read(vocals.xml)
                return self._tools.read_vocals_xml(content, vocals.xml)
            return sng_lyrics(self._sng(vocals), self._tools)
        except UnreadableSong:
            return []

    def _stems(self) -> tuple[SongStem, ...]:
        if self._contents.sound is None:
            return ()
        return (SongStem("full", default=True, media_type=self._tools.wem_type()),)


def _art(archive: Container, contents: Contents) -> bytes | None:
    return None if contents.art is None else png_of_dds(archive.read(contents.art))


def _stated(parts: Iterable[Part], key: str) -> str:
    return _first(text(part.attributes, key) for part in parts)


def _first(texts: Iterable[str]) -> str:
    return next((each for each in texts if each), "")


def _length(parts: Iterable[Part], scores: Iterable[Score]) -> float:
    stated = (number(part.attributes, "SongLength") for part in parts)
    lengths = (each for each in stated if each is not None and each >= 0)
    return float(next(lengths, 0) or next((s.length for s in scores if s.length), 0))


def _song_tuning(charts: Sequence[_Chart]) -> tuple[int, ...]:
    stated = [(chart.part.kind, chart.tuning) for chart in charts if chart.tuning]
    guitars = (found for kind, found in stated if kind in _GUITARS)
    return next(guitars, None) or next((found for _, found in stated), (0,) * 6)
