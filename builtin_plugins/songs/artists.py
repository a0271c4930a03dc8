"""The library by artist, as a stream (songs contract, 3.3)."""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.songs.filters import contains_words
from builtin_plugins.songs.identity import letter_of
from builtin_plugins.songs.listing import column_favorite, rendered
from plugin_sdk import Database, Row

__all__ = ["LETTERS", "ArtistsQuery", "artists_json"]

LETTERS: Final = (*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "#")
_UNKNOWN: Final = "Unknown Artist"
_NOBODY: Final = -1
_CHUNK: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class ArtistsQuery:
    """``letter`` is one of `LETTERS`; ``words`` are folded."""

    letter: str | None = None
    words: tuple[str, ...] = ()
    favorites: bool = False
    profile_id: int | None = None


def artists_json(db: Database, query: ArtistsQuery) -> Iterator[bytes]:
    """The answer in pieces; memory does not grow with the library."""
    pending: list[str] = ['{"letters":[']
    length = 0
    for piece in _pieces(_rows(db, query)):
        pending.append(piece)
        length += len(piece)
        if length >= _CHUNK:
            yield "".join(pending).encode()
            pending, length = [], 0
    yield "".join([*pending, "]}"]).encode()


def _pieces(rows: Iterator[Row]) -> Iterator[str]:
    letter = artist = None
    for row in rows:
        key = row["artist_key"]
        if key != artist:
            if artist is not None:
                yield "]}"
            artist = key
            if letter_of(key) != letter:
                if letter is not None:
                    yield "]},"
                letter = letter_of(key)
                yield f'{{"letter":"{letter}","artists":['
            else:
                yield ","
            name = json.dumps(row["name"] if key else _UNKNOWN, ensure_ascii=False)
            yield f'{{"name":{name},"songs":['
        else:
            yield ","
        yield rendered(row)
    if artist is not None:
        yield "]}]}"


def _rows(db: Database, query: ArtistsQuery) -> Iterator[Row]:
    words = contains_words("p.artist_key", query.words)
    owner = _NOBODY if query.profile_id is None else query.profile_id
    for condition, bounds in _ranges(query.letter):
        texts = [condition, *words.texts]
        if query.favorites:
            mine = "SELECT o.id FROM favorites o WHERE o.profile_id = :profile"
            texts.append(f"(p.id IN ({mine})) IS TRUE")  # or they would be sorted, not walked
        yield from db.iterate(
            "SELECT p.artist_key, a.name, d.meta, "
            "EXISTS (SELECT 1 FROM variants v WHERE v.base = p.track_id) AS has_estd, "
            f"{column_favorite('p.id')} FROM tracks p "
            "JOIN artists a ON a.artist_key = p.artist_key JOIN documents d ON d.id = p.id "
            f"WHERE {' AND '.join(texts)} ORDER BY p.artist_key, p.title_key, p.track_id",
            {**bounds, **words.params, "profile": owner},
        )


def _ranges(letter: str | None) -> Sequence[tuple[str, dict[str, Any]]]:
    """Ranges of folded artists in the order in which they are listed: texts are compared by code
    point, so what begins with no letter lies before a and behind z."""
    between = "p.artist_key >= :low AND p.artist_key < :high"
    others = [("p.artist_key < :high", {"high": "a"}), ("p.artist_key >= :low", {"low": "{"})]
    if letter is None:
        return [(between, {"low": "a", "high": "{"}), *others]
    if letter == "#":
        return others
    low = letter.lower()
    return [(between, {"low": low, "high": chr(ord(low) + 1)})]
