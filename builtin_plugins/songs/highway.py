"""The highway: the chart of one arrangement, ready to be drawn (songs contract, 8)."""

from __future__ import annotations

import hashlib
import threading
from typing import Any, Final

from builtin_plugins.songs.facts import compact
from builtin_plugins.songs.media import reader_of, reading, source_of
from builtin_plugins.songs.parameters import Parameters
from builtin_plugins.songs.songbook import Song, Songbook
from plugin_sdk import Context, NotFound, Request, Response, SongChart

__all__ = ["Highways"]

_REVISION: Final = "2"
"""Another one when the same chart is rendered in another way."""


class Highways:
    """Two charts are read at once at most: of a hostile song one may take a gigabyte."""

    def __init__(self, context: Context, songbook: Songbook) -> None:
        self._context = context
        self._songbook = songbook
        self._reading = threading.BoundedSemaphore(2)

    def answer(self, request: Request) -> Response:
        """Raises NotFound beyond the last arrangement, and when its chart cannot be read."""
        read = Parameters(request)
        wished = read.optional_integer("arrangement")
        read.finish()
        song = self._songbook.get(request.params["track_id"])
        index = _default(self._context, song) if wished is None else wished
        if index >= len(song.facts.arrangements):
            raise NotFound("There is no such arrangement.")
        reader, source = reader_of(self._context, song), source_of(self._context, song)
        with reading():
            tag = _tag(song, reader.signature(source), index)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if _unchanged(request.headers.get("If-None-Match", ""), tag):
            return Response.empty(304).with_headers(**headers)
        with self._reading:
            with reading():
                chart = reader.chart(source, index)
            document = {"song": _song(song, chart, index), **chart.document()}
            return Response.json_text(compact(document), headers=headers)


def _tag(song: Song, signature: str, index: int) -> str:
    """``signature`` is the file's own of this moment: it may differ from that of the last scan."""
    shown = song.shown
    name = song.facts.arrangements[index].name
    parts = [_REVISION, signature, index, name]
    parts += [shown.title, shown.artist, shown.album, shown.duration]
    return f'"{hashlib.sha256(compact(parts).encode()).hexdigest()[:32]}"'


def _default(context: Context, song: Song) -> int:
    name = context.settings["defaultArrangement"].casefold()
    names = [each.name.casefold() for each in song.facts.arrangements]
    return names.index(name) if name in names else 0


def _song(song: Song, chart: SongChart, index: int) -> dict[str, Any]:
    shown = song.shown
    name = song.facts.arrangements[index].name
    return {
        "title": shown.title,
        "artist": shown.artist,
        "album": shown.album,
        "duration": shown.duration,
        "tuning": list(chart.tuning),
        "capo": chart.capo,
        "arrangementName": name,
        "arrangementIndex": index,
        "centOffset": chart.cent_offset,
        "stringCount": chart.string_count(name),
    }


def _unchanged(header: str, tag: str) -> bool:
    """RFC 9110, 13.1.2: tags are compared weakly."""
    sent = [part.strip().removeprefix("W/") for part in header.split(",")]
    return header.strip() == "*" or tag in sent
