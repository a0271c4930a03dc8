"""Made-up songs, to try a large library (songs contract, 4.1)."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import attrgetter
from typing import Final, TypeVar

from builtin_plugins.songs.facts import Arrangement, SongFacts, Stem
from builtin_plugins.songs.index import Found, LibraryIndex
from builtin_plugins.songs.tables import create_orders, drop_orders
from plugin_sdk import Clock, Conflict, Database, Invalid, Settings

__all__ = ["fill"]

_BATCH: Final = 20_000
_MANY: Final = 5000
_TUNINGS: Final = (
    (0, 0, 0, 0, 0, 0),
    (-2, 0, 0, 0, 0, 0),
    (-1, -1, -1, -1, -1, -1),
    (-2, -2, -2, -2, -2, -2),
    (-4, -2, -2, -2, -2, -2),
    (-2, 0, 0, 0, -2, 0),
)
_ARRANGEMENTS: Final = (
    ("Lead", "Rhythm", "Bass"),
    ("Lead", "Bass"),
    ("Lead", "Rhythm", "Bass", "Bonus Lead"),
    ("Combo", "Bass"),
    ("Lead",),
)
_STEMS: Final = tuple(
    tuple(Stem(name, name == "full") for name in names.split())
    for names in ("full", "full guitar bass drums vocals", "guitar bass", "full drums")
)
_WORDS: Final = [
    "amber",
    "autumn",
    "black",
    "blue",
    "broken",
    "city",
    "cold",
    "crystal",
    "dance",
    "dark",
    "distant",
    "dream",
    "electric",
    "empty",
    "ember",
    "fallen",
    "fire",
    "forest",
    "ghost",
    "glass",
    "golden",
    "heart",
    "hollow",
    "iron",
    "island",
    "last",
    "light",
    "lonely",
    "midnight",
    "mirror",
    "moon",
    "morning",
    "mountain",
    "northern",
    "ocean",
    "old",
    "paper",
    "quiet",
    "rain",
    "river",
    "road",
    "rose",
    "secret",
    "shadow",
    "silent",
    "silver",
    "sky",
    "snow",
    "song",
    "stone",
    "storm",
    "summer",
    "sun",
    "thunder",
    "tiger",
    "velvet",
    "violet",
    "water",
    "western",
    "white",
    "wild",
    "wind",
    "winter",
]
_FILENAME: Final = attrgetter("filename")
"""Songs of an artist one after the other, as a scan finds them: their places in most orders are
near to one another, which saves PostgreSQL a seventh of its time."""
_Value = TypeVar("_Value")


def fill(db: Database, index: LibraryIndex, clock: Clock, settings: Settings, count: int) -> int:
    """Adds songs without files; how many there are then. Raises Invalid for less than one, and
    Conflict while a song folder is set: the next scan would take them away."""
    if count < 1:
        raise Invalid(f"COUNT is how many songs to add, so 1 or more, not {count}.")
    if settings["dlcDir"]:
        raise Conflict("dlcDir is set: made-up songs are for a library without a song folder.")
    last = db.value("SELECT max(id) FROM songs") or 0
    songs = _songs(random.Random(last), last + 1, count, clock.time())  # noqa: S311 - no secret
    with _uncollected():
        _put_all(db, index, songs, count)
    return int(db.value("SELECT count(*) FROM tracks"))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing here is in a circle: looking for such was a seventh of the work. A command has its
    process for itself."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _put_all(db: Database, index: LibraryIndex, songs: Iterator[Found], count: int) -> None:
    if db.engine == "sqlite" and count >= _MANY:  # PostgreSQL's readers would have to wait
        with db.transaction():
            drop_orders(db)
            _put(db, index, songs)
            create_orders(db)
    else:
        _put(db, index, songs)


def _put(db: Database, index: LibraryIndex, songs: Iterator[Found]) -> None:
    while batch := sorted(islice(songs, _BATCH), key=_FILENAME):
        with db.transaction():
            index.put(batch)


def _songs(chance: random.Random, start: int, count: int, mtime: float) -> Iterator[Found]:
    artists = max(1, count // 20)
    drawn = chance.random  # drawing is half of the work: nothing slower

    def pick(values: Sequence[_Value]) -> _Value:
        return values[int(drawn() * len(values))]

    for number in range(start, start + count):
        artist = int(drawn() * artists)
        words = [_WORDS[artist % len(_WORDS)], _WORDS[artist // 7 % len(_WORDS)]]
        name = f"{words[0]} {words[1]} {artist}".title()
        if artist % 5 == 0:
            name = f"The {name}" if artist % 2 else f"{artist} Tigers"
        title = f"{pick(_WORDS)} {pick(_WORDS)} {number}".title()
        filename = f"{name}/{title}.sloppak"
        facts = SongFacts(
            title,
            name,
            f"Album {number // 12}",
            None if number % 10 == 0 else 1955 + int(drawn() * 72),
            int(60_000 + drawn() * 540_000) / 1000,
            pick(_TUNINGS),
            [Arrangement(each, 100 + int(drawn() * 2400)) for each in pick(_ARRANGEMENTS)],
            pick(_STEMS),
            number % 3 == 0,
            number % 4 != 0,
            None,
            "sloppak",
            mtime,
        )
        yield Found(filename, filename, "sloppak", f"fill-{number}", facts)
