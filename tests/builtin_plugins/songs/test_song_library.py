"""The library against a plain model of it: filters, orders, pages, counts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builtin_plugins.songs.artists import ArtistsQuery, artists_json
from builtin_plugins.songs.counting import _neighbours, random_covers, stats, tuning_names
from builtin_plugins.songs.facts import SongFacts
from builtin_plugins.songs.filters import LibraryQuery, words_of
from builtin_plugins.songs.identity import fold, letter_of
from builtin_plugins.songs.index import Found, LibraryIndex
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.tables import ORDERS, create_tables
from host.testing import open_database
from plugin_sdk import Migration, tuning_name, tuning_sort_key
from plugin_sdk.testing import FakeClock

MANY = tuple(f"nowhere {number}" for number in range(600))


def test_a_song_is_shown_as_it_is(shelf: Any) -> None:
    shown = {song["filename"]: song for song in shelf.all}
    assert len(shown) == 150
    for found in shelf.songs:
        song, facts = shown[found.filename], found.facts
        assert (song["title"], song["artist"], song["year"]) == (
            facts.title,
            facts.artist,
            facts.year,
        )
        assert song["tuningName"] == tuning_name(facts.tuning)
        assert song["tuningSortKey"] == tuning_sort_key(facts.tuning)
        assert [each["name"] for each in song["arrangements"]] == [
            each.name for each in facts.arrangements
        ]
        assert song["stemIds"] == [each.stem_id for each in facts.stems]
        assert song["stemCount"] == len(facts.stems)
        assert (song["hasLyrics"], song["hasCover"]) == (facts.has_lyrics, facts.has_cover)
        assert song["favorite"] is False


def test_a_song_knows_its_other_tuning(tmp_path: Path) -> None:
    db: Any = open_database(tmp_path)
    db.migrate([Migration("001-library", create_tables)])
    index = LibraryIndex(db, FakeClock())
    names = ["d/A_b.psarc", "d/A_EStd_b.psarc", "A_b.psarc", "d/C.psarc"]
    with db.transaction():
        index.put([Found(name, name, "psarc", "1", SongFacts()) for name in names])
    songs = json.loads(Library(db).page(LibraryQuery(), None))["songs"]
    assert [song["filename"] for song in songs if song["hasEstd"]] == ["d/A_b.psarc"]
    with db.transaction():
        row = db.one("SELECT id FROM songs WHERE filename = :f", {"f": names[1]})
        index.orphan([row["id"]])
    songs = json.loads(Library(db).page(LibraryQuery(), None))["songs"]
    assert not any(song["hasEstd"] for song in songs)
    db.close()


def _year(song: dict[str, Any], sign: int) -> tuple[bool, int]:
    return song["year"] is None, sign * (song["year"] or 0)


MODELS: dict[str, list[tuple[Callable[[dict[str, Any]], Any], bool]]] = {
    "artist": [(lambda s: fold(s["artist"]), False), (lambda s: fold(s["title"]), False)],
    "artist-desc": [(lambda s: fold(s["artist"]), True), (lambda s: fold(s["title"]), False)],
    "title": [(lambda s: fold(s["title"]), False), (lambda s: fold(s["artist"]), False)],
    "title-desc": [(lambda s: fold(s["title"]), True), (lambda s: fold(s["artist"]), False)],
    "recent": [(lambda s: s["importedAt"], True)],
    "tuning": [
        (lambda s: s["tuningSortKey"], False),
        (lambda s: s["tuningName"], False),
        (lambda s: fold(s["artist"]), False),
        (lambda s: fold(s["title"]), False),
    ],
    "year": [
        (lambda s: _year(s, 1), False),
        (lambda s: fold(s["artist"]), False),
        (lambda s: fold(s["title"]), False),
    ],
    "year-desc": [
        (lambda s: _year(s, -1), False),
        (lambda s: fold(s["artist"]), False),
        (lambda s: fold(s["title"]), False),
    ],
}


def modelled(songs: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    found = sorted(songs, key=lambda song: song["trackId"])
    for key, backwards in reversed(MODELS[sort]):
        found.sort(key=key, reverse=backwards)  # stable, reversed too
    return found


def names(songs: list[dict[str, Any]]) -> list[str]:
    return [song["trackId"] for song in songs]


@pytest.mark.parametrize("sort", ORDERS)
def test_pages_of_every_order_neither_overlap_nor_miss(shelf: Any, sort: str) -> None:
    expected = names(modelled(shelf.all, sort))
    for size in (7, 50, 200):
        pages = [
            shelf.page(LibraryQuery(sort=sort, size=size, page=page))
            for page in range(150 // size + 2)
        ]
        assert [name for page in pages for name in names(page["songs"])] == expected
        assert {page["total"] for page in pages} == {150}
        assert pages[-1]["songs"] == []


def has(song: dict[str, Any], *wanted: str) -> bool:
    return set(wanted) <= {each["name"].casefold() for each in song["arrangements"]}


def stems(song: dict[str, Any]) -> set[str]:
    return {each.casefold() for each in song["stemIds"]}


def text(song: dict[str, Any]) -> list[str]:
    return [fold(song[name]) for name in ("title", "artist", "album")]


FILTERS: list[tuple[str, dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ("format", {"format": "psarc"}, lambda s: s["format"] == "psarc"),
    ("lead", {"arrangements_has": ("lead",)}, lambda s: has(s, "lead")),
    ("lead and bass", {"arrangements_has": ("lead", "bass")}, lambda s: has(s, "lead", "bass")),
    (
        "no lead, no rhythm",
        {"arrangements_lacks": ("lead", "rhythm")},
        lambda s: not has(s, "lead") and not has(s, "rhythm"),
    ),
    ("stem full", {"stems_has": ("full",)}, lambda s: "full" in stems(s)),
    ("no stem full", {"stems_lacks": ("full",)}, lambda s: "full" not in stems(s)),
    ("lyrics", {"has_lyrics": True}, lambda s: s["hasLyrics"]),
    ("no lyrics", {"has_lyrics": False}, lambda s: not s["hasLyrics"]),
    (
        "tunings",
        {"tunings": ("Drop D", "E Standard")},
        lambda s: s["tuningName"] in ("Drop D", "E Standard"),
    ),
    ("many, of which some are nowhere", {"arrangements_has": ("lead", *MANY)}, lambda s: False),
    ("none of many", {"stems_lacks": (*MANY, "full")}, lambda s: "full" not in stems(s)),
    ("many tunings", {"tunings": ("Drop D", *MANY)}, lambda s: s["tuningName"] == "Drop D"),
    ("no tuning of many", {"tunings": MANY}, lambda s: False),
    ("nothing", {"arrangements_has": ("piano",)}, lambda s: False),
    ("one word", {"words": words_of("THUNDER")}, lambda s: any("thunder" in t for t in text(s))),
    (
        "words in different fields",
        {"words": words_of("ete edith")},
        lambda s: any("ete" in t for t in text(s)) and any("edith" in t for t in text(s)),
    ),
    ("percent", {"words": words_of("%")}, lambda s: any("%" in t for t in text(s))),
    ("underscore", {"words": words_of("_")}, lambda s: any("_" in t for t in text(s))),
    ("quote", {"words": words_of("'p")}, lambda s: any("'p" in t for t in text(s))),
    ("exclamation", {"words": words_of("a!b")}, lambda s: any("a!b" in t for t in text(s))),
    ("not ascii", {"words": words_of("ØRSTED")}, lambda s: any("ørsted" in t for t in text(s))),
    (
        "all together",
        {
            "words": words_of("e"),
            "arrangements_has": ("lead",),
            "stems_lacks": ("guitar",),
            "has_lyrics": True,
        },
        lambda s: (
            any("e" in t for t in text(s))
            and has(s, "lead")
            and "guitar" not in stems(s)
            and s["hasLyrics"]
        ),
    ),
]


@pytest.mark.parametrize(
    ("query", "fits"), [each[1:] for each in FILTERS], ids=[each[0] for each in FILTERS]
)
@pytest.mark.parametrize("favorites", [False, True])
def test_filters(
    shelf: Any, query: dict[str, Any], fits: Callable[[dict[str, Any]], bool], favorites: bool
) -> None:
    expected = [
        song
        for song in modelled(shelf.all, "title")
        if fits(song) and (not favorites or song["trackId"] in shelf.favorites)
    ]
    page = shelf.page(LibraryQuery(sort="title", size=200, favorites=favorites, **query), 7)
    assert names(page["songs"]) == names(expected)
    assert page["total"] == len(expected)
    for song in page["songs"]:
        assert song["favorite"] == (song["trackId"] in shelf.favorites)


@pytest.mark.parametrize("favorites", [False, True])
@pytest.mark.parametrize("words", ["e", ""])
def test_what_is_walked_to_and_what_is_sorted_is_the_same(
    shelf: Any, monkeypatch: pytest.MonkeyPatch, words: str, favorites: bool
) -> None:
    shown = []
    for walks in (False, True):
        monkeypatch.setattr(Library, "_walks", lambda *_, walks=walks: walks)
        for page in range(9):
            query = LibraryQuery(words_of(words), page, 9, "year-desc", favorites=favorites)
            shown.append(shelf.page(query, 7))
    assert shown[:9] == shown[9:]
    assert shown[0]["songs"]


@pytest.mark.parametrize("sort", ["tuning", "title"])
def test_tunings_in_their_own_order(shelf: Any, sort: str) -> None:
    chosen = ("Drop D", "-8 -8 -8 -8 -8 -8")
    fitting = [song for song in modelled(shelf.all, sort) if song["tuningName"] in chosen]
    for page in range(len(fitting) // 7 + 1):
        shown = shelf.page(LibraryQuery(page=page, size=7, sort=sort, tunings=chosen))
        assert names(shown["songs"]) == names(fitting[page * 7 : page * 7 + 7])
        assert shown["total"] == len(fitting)


def asked(shelf: Any, **query: Any) -> list[dict[str, Any]]:
    answer = json.loads(b"".join(artists_json(shelf.db, ArtistsQuery(**query))))
    letters: list[dict[str, Any]] = answer["letters"]
    return letters


def test_artists_by_letter(shelf: Any) -> None:
    letters = asked(shelf)
    assert [each["letter"] for each in letters] == ["A", "E", "Z", "#"]
    shown = [song["trackId"] for each in letters for a in each["artists"] for song in a["songs"]]
    assert sorted(shown) == sorted(names(shelf.all))
    for each in letters:
        keys = [fold(artist["songs"][0]["artist"]) for artist in each["artists"]]
        assert keys == sorted(keys)
        for artist in each["artists"]:
            spellings = [song["artist"] for song in artist["songs"]]
            assert {letter_of(fold(name)) for name in spellings} == {each["letter"]}
            most = min(set(spellings), key=lambda name: (-spellings.count(name), name))
            assert artist["name"] == (most or "Unknown Artist")
            order = [(fold(song["title"]), song["trackId"]) for song in artist["songs"]]
            assert order == sorted(order)


def test_artists_through_filters(shelf: Any) -> None:
    assert [each["letter"] for each in asked(shelf, letter="Z")] == ["Z"]
    assert [each["letter"] for each in asked(shelf, letter="#")] == ["#"]
    assert asked(shelf, letter="Q") == []
    (only,) = asked(shelf, words=("piaf",))
    assert [fold(artist["name"]) for artist in only["artists"]] == ["edith piaf"]
    mine = asked(shelf, favorites=True, profile_id=7)
    shown = {song["trackId"] for each in mine for a in each["artists"] for song in a["songs"]}
    assert shown == shelf.favorites
    assert asked(shelf, favorites=True, profile_id=8) == []


def test_numbers(shelf: Any) -> None:
    letters: dict[str, int] = {}
    for song in shelf.all:
        letter = letter_of(fold(song["artist"]))
        letters[letter] = letters.get(letter, 0) + 1
    found = stats(shelf.db)
    assert found["totalSongs"] == 150
    assert found["totalArtists"] == len({fold(song["artist"]) for song in shelf.all})
    assert found["letters"] == letters
    assert list(found["letters"])[-1] == "#"
    counted = tuning_names(shelf.db)
    assert sum(each["count"] for each in counted) == 150
    assert counted == sorted(counted, key=lambda each: (-each["count"], each["name"]))


def test_covers_by_chance(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtin_plugins.songs.counting.random", random.Random(3))
    there = {song["trackId"] for song in shelf.all if song["hasCover"]}
    for few in (400, 0):  # all read and drawn from; looked up one by one
        monkeypatch.setattr(
            "builtin_plugins.songs.counting._FEW", few
        )  # then as in a large library
        chosen = random_covers(shelf.db, 30)
        assert len(set(chosen)) == 30
        assert set(chosen) <= there
        assert any(random_covers(shelf.db, 30) != chosen for _ in range(5))
    monkeypatch.setattr("builtin_plugins.songs.counting._FEW", 400)
    assert set(random_covers(shelf.db, 100)) == there


@pytest.mark.one_engine
@pytest.mark.parametrize("sort", ORDERS)
def test_pages_walk_one_covering_index(
    tmp_path: Path, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sorting, no look at the table: the cost of a page is that of its rows and its offset."""
    monkeypatch.delenv("STAGEBOX_TEST_DATABASE", raising=False)
    db: Any = open_database(tmp_path)
    db.migrate([Migration("001-library", create_tables)])
    statements: list[tuple[str, Any]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(db, name)

        def query(self, sql: str, params: Any = None) -> Any:
            statements.append((sql, params))
            return db.query(sql, params)

        def value(self, sql: str, params: Any = None) -> Any:
            found = db.value(sql, params)
            return 80_000 if "sum(" in sql else found

    library = Library(Watched())
    for page in (0, 1500):
        for lead in ((), ("lead",)):
            library.page(LibraryQuery(page=page, sort=sort, arrangements_has=lead), None)
    index = f"tracks_by_{sort.replace('-', '_')}"
    for sql, params in statements:
        steps = [row["detail"] for row in db.query("EXPLAIN QUERY PLAN " + sql, params)]
        walks = [step for step in steps if step.startswith(("SCAN", "SEARCH"))]
        assert any(f"USING COVERING INDEX {index}" in step for step in walks), steps
        inner = steps
        if "OFFSET" in sql:  # of the page alone: its rows are put in order once more
            inner = steps[: next(i for i, step in enumerate(steps) if step.startswith("SCAN p"))]
        assert not any("TEMP B-TREE" in step for step in inner), steps
    db.close()


@pytest.mark.one_engine
def test_what_is_counted_and_drawn_reads_no_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the library is: facets and artists are counted, covers have an index."""
    monkeypatch.delenv("STAGEBOX_TEST_DATABASE", raising=False)
    db: Any = open_database(tmp_path)
    db.migrate([Migration("001-library", create_tables)])
    statements: list[tuple[str, Any]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            def call(sql: str, params: Any = None) -> Any:
                statements.append((sql, params))
                return getattr(db, name)(sql, params)

            return call

    watched: Any = Watched()
    stats(watched)
    tuning_names(watched)
    random_covers(watched, 3)
    _neighbours(watched, 3)
    for sql, params in statements:
        steps = [row["detail"] for row in db.query("EXPLAIN QUERY PLAN " + sql, params)]
        reads = [
            step for step in steps if step.startswith(("SCAN", "SEARCH")) and " tracks" in step
        ]
        assert all("INDEX tracks_with_cover" in step for step in reads), steps
    assert (
        sum("tracks_with_cover" not in sql and "FROM tracks" in sql for sql, _ in statements) == 2
    )
    db.close()
