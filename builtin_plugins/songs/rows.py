"""Rows of the index, made of what is known of a song."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from builtin_plugins.songs.facts import SongFacts, compact
from builtin_plugins.songs.identity import KEY_LENGTH, fold, track_id_of
from plugin_sdk import tuning_name, tuning_sort_key

__all__ = ["Facet", "Identity", "bases_of", "facet_of", "iso", "meta_of", "name_key", "track_row"]

_LONGEST_KEY: Final = 500
_UNKNOWN_YEAR: Final = 100_000
_VARIANT: Final = re.compile("_(?:EStd|DropD)_")


@dataclass(frozen=True, slots=True)
class Identity:
    """A row of ``songs``; ``imported_at`` in milliseconds."""

    id: int
    track_id: str
    filename: str
    imported_at: int


@dataclass(frozen=True, slots=True)
class Facet:
    """What filters ask of a song; names as they are compared, sorted, each once."""

    format: str
    has_lyrics: bool
    tuning_name: str
    arrangements: tuple[str, ...]
    stems: tuple[str, ...]

    @property
    def key(self) -> str:
        """One text for each value, short enough for an index."""
        parts = [self.format, self.has_lyrics, self.tuning_name, self.arrangements, self.stems]
        text = compact(parts)
        return text if len(text) <= _LONGEST_KEY else hashlib.sha256(text.encode()).hexdigest()


def name_key(name: str) -> str:
    """A name of an arrangement or stem as filters compare it: exact but for case."""
    return name.casefold()[:KEY_LENGTH]


def facet_of(shown: SongFacts) -> Facet:
    return Facet(
        shown.format,
        shown.has_lyrics,
        tuning_name(shown.tuning)[:KEY_LENGTH],
        tuple(sorted({name_key(each.name) for each in shown.arrangements})),
        tuple(sorted({name_key(each.stem_id) for each in shown.stems})),
    )


def track_row(song: Identity, shown: SongFacts, facet: int, now: int) -> dict[str, Any]:
    """The row of ``tracks``, but for ``created_at``."""
    artist, title, album = fold(shown.artist), fold(shown.title), fold(shown.album)
    year = shown.year
    return {
        "id": song.id,
        "track_id": song.track_id,
        "artist": shown.artist,
        "artist_key": artist[:KEY_LENGTH],
        "title_key": title[:KEY_LENGTH],
        "searched": f"{title}\n{artist}\n{album}",  # no word holds a line break
        "year_up": _UNKNOWN_YEAR if year is None else year,
        "year_down": _UNKNOWN_YEAR if year is None else -year,
        "tuning_sort": tuning_sort_key(shown.tuning),
        "tuning_name": tuning_name(shown.tuning)[:KEY_LENGTH],
        "imported_at": song.imported_at,
        "facet": facet,
        "has_cover": shown.has_cover,
        "modified_at": now,
    }


def meta_of(song: Identity, shown: SongFacts) -> str:
    """SongMeta as JSON (songs contract, 3.1) without its end: what depends on the caller and on
    other songs, ``favorite`` and ``hasEstd``, is put behind it."""
    meta = {
        "trackId": song.track_id,
        "filename": song.filename,
        "title": shown.title,
        "artist": shown.artist,
        "album": shown.album,
        "year": shown.year,
        "duration": shown.duration,
        "tuning": list(shown.tuning),
        "tuningName": tuning_name(shown.tuning),
        "tuningSortKey": tuning_sort_key(shown.tuning),
        "arrangements": [
            {"index": index, "name": each.name, "notes": each.notes}
            for index, each in enumerate(shown.arrangements)
        ],
        "stemCount": len(shown.stems),
        "stemIds": [stem.stem_id for stem in shown.stems],
        "hasLyrics": shown.has_lyrics,
        "hasCover": shown.has_cover,
        "format": shown.format,
        "mtime": shown.mtime,
        "importedAt": iso(song.imported_at),
    }
    return compact(meta)[:-1]


def iso(ms: int) -> str:
    """``2026-05-01T12:00:00.000Z``"""
    moment = datetime.fromtimestamp(ms // 1000, UTC).isoformat()[:19]
    return f"{moment}.{ms % 1000:03d}Z"


def bases_of(filename: str) -> Iterator[str]:
    """trackIds of songs that have an E standard or drop D version if this song exists: those in
    the same folder whose name has ``_`` where this one has ``_EStd_`` or ``_DropD_``."""
    folder, slash, name = filename.rpartition("/")
    position = 0
    while (found := _VARIANT.search(name, position)) is not None:
        base = f"{name[: found.start()]}_{name[found.end() :]}"
        yield track_id_of(folder + slash + base)
        position = found.end() - 1  # the last underscore may begin another one
