"""A whole song format for tests: songs are small JSON files."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from plugin_sdk.errors import NotFound
from plugin_sdk.song_charts import SongChart, arrangement_rank
from plugin_sdk.song_formats import (
    SongArrangement,
    SongCover,
    SongFormat,
    SongMetadata,
    SongSource,
    SongStem,
    SongStream,
    UnreadableSong,
)

__all__ = ["FakeSongFormat"]


class FakeSongFormat(SongFormat):
    """Reads what `write` writes, files that end in ``.fakesong``; it passes `SongFormatSuite`
    and can be sent to other processes::

        path = FakeSongFormat.write(library / "A" / "one.fakesong", title="One", artist="A",
            arrangements={"Lead": [(0.5, 0, 3)]}, stems={"full": b"OggS"}, cover=PNG)
    """

    name = "fakesong"
    suffixes: ClassVar[frozenset[str]] = frozenset({".fakesong"})

    @staticmethod
    def write(
        path: Path,
        *,
        title: str = "Title",
        artist: str = "Artist",
        album: str = "",
        year: int | None = None,
        duration: float = 60.0,
        tuning: Sequence[int] = (0, 0, 0, 0, 0, 0),
        arrangements: Mapping[str, Sequence[tuple[float, int, int]]] | None = None,
        stems: Mapping[str, bytes | None] | None = None,
        lyrics: Sequence[tuple[float, float, str]] = (),
        cover: bytes | None = None,
    ) -> Path:
        """Writes a song, and the folders above it. ``arrangements``: notes (time, string, fret)
        by name; ``stems``: OGG by id, None for a file that is missing; ``cover``: a PNG."""
        document = {
            "title": title,
            "artist": artist,
            "album": album,
            "year": year,
            "duration": duration,
            "tuning": list(tuning),
            "arrangements": {
                name: list(notes) for name, notes in (arrangements or {"Lead": []}).items()
            },
            "stems": {name: _text(content) for name, content in (stems or {}).items()},
            "lyrics": list(lyrics),
            "cover": _text(cover),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def metadata(self, source: SongSource) -> SongMetadata:
        song = _read(source)
        stems = [(name, _bytes(text)) for name, text in song["stems"].items()]
        return SongMetadata(
            title=song["title"],
            artist=song["artist"],
            album=song["album"],
            year=song["year"],
            duration=song["duration"],
            tuning=tuple(song["tuning"]),
            arrangements=tuple(
                SongArrangement(name, len(notes)) for name, notes in _arrangements(song)
            ),
            stems=tuple(
                SongStem(name)
                if content is None
                else SongStem(name, media_type="audio/ogg", size=len(content))
                for name, content in stems
            ),
            has_lyrics=bool(song["lyrics"]),
            has_cover=song["cover"] is not None,
        )

    def chart(self, source: SongSource, index: int) -> SongChart:
        song = _read(source)
        _, notes = _nth(_arrangements(song), index)
        return SongChart(
            tuning=tuple(song["tuning"]),
            notes=[{"t": t, "s": s, "f": f} for t, s, f in sorted(notes)],
            lyrics=[{"t": t, "d": d, "w": w} for t, d, w in song["lyrics"]] or None,
        )

    def cover(self, source: SongSource) -> SongCover | None:
        content = _bytes(_read(source)["cover"])
        return None if content is None else SongCover(content, "image/png")

    def stem(self, source: SongSource, index: int) -> SongStream:
        content = _bytes(_nth(list(_read(source)["stems"].values()), index))
        if content is None:
            raise NotFound("The file of this stem is missing.")
        return SongStream(io.BytesIO(content), "audio/ogg", len(content))


def _read(source: SongSource) -> dict[str, Any]:
    try:
        song: dict[str, Any] = json.loads(source.path.read_bytes())
    except ValueError:
        raise UnreadableSong("This is no fake song.") from None
    return song


def _arrangements(song: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(song["arrangements"].items(), key=lambda each: arrangement_rank(each[0]))


def _nth(items: Sequence[Any], index: int) -> Any:
    if not 0 <= index < len(items):
        raise NotFound(f"There is nothing with the index {index}.")
    return items[index]


def _text(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
