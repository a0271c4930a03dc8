"""What the index counts stays true, whatever is done to it."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.songs.facts import Arrangement, Edits, SongFacts, Stem
from builtin_plugins.songs.identity import fold
from builtin_plugins.songs.rows import facet_of
from builtin_plugins.songs.scanned import Scanned
from builtin_plugins.songs.walking import Candidate

NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXTS = st.sampled_from(["", "Abba", "ABBA", "ábba", "Zoe", "x\0y"])
FACTS = st.builds(
    SongFacts,
    title=TEXTS,
    artist=TEXTS,
    tuning=st.sampled_from([(0,) * 6, (-2, 0, 0, 0, 0, 0)]),
    arrangements=st.lists(st.builds(Arrangement, st.sampled_from(["Lead", "Bass"])), max_size=2),
    has_lyrics=st.booleans(),
    format=st.just("sloppak"),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(NAMES, FACTS, min_size=1, max_size=3)),
    st.tuples(st.just("orphan"), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("edit"), NAMES, st.none() | TEXTS.filter(str.isascii)),
)


@settings(max_examples=12)
@given(st.lists(STEPS, max_size=10))
def test_counters_are_those_of_the_tracks(book: Any, steps: list[tuple[Any, ...]]) -> None:
    db = book.context.db
    for step, what, *rest in steps:
        if step == "put":
            for name, facts in what.items():
                book.add(name, **{field: getattr(facts, field) for field in facts.__slots__})
            continue
        song = db.one("SELECT id FROM songs WHERE filename = :name", {"name": what})
        if song is None:
            continue
        with db.transaction():
            if step == "edit":
                artist = None if rest[0] is None else rest[0].replace("\0", "")
                row = {"id": song["id"], "artist": artist, "revision": 1}
                db.table("edits").upsert(row)
                book.index.refresh(song["id"])
            else:
                getattr(book.index, step)([song["id"]])
    shown = [
        Edits.of(row if row["revision"] is not None else None).over(
            SongFacts.from_json(row["facts"])
        )
        for row in db.query(
            "SELECT d.facts, e.title, e.artist, e.album, e.year, e.cover, e.revision "
            "FROM tracks t JOIN documents d ON d.id = t.id LEFT JOIN edits e ON e.id = t.id"
        )
    ]
    facets = {row["key"]: row["songs"] for row in db.query("SELECT * FROM facets") if row["songs"]}
    assert facets == Counter(facet_of(each).key for each in shown)
    artists = {row["artist_key"]: row["songs"] for row in db.query("SELECT * FROM artists")}
    assert artists == Counter(fold(each.artist) for each in shown)
    spellings = {row["name"]: row["songs"] for row in db.query("SELECT * FROM spellings")}
    assert spellings == Counter(each.artist for each in shown)
    assert db.table("documents").count_where() == len(shown)


@given(FACTS)
def test_facts_are_kept_as_they_are(facts: SongFacts) -> None:
    kept = SongFacts.from_json(facts.to_json())
    assert kept.to_json() == facts.to_json()
    assert kept.title == facts.title


def test_stems_are_kept_as_they_are() -> None:
    facts = SongFacts(stems=[Stem("full", True, "de", "audio/ogg", 5), Stem("x")], audio=0)
    assert SongFacts.from_json(facts.to_json()).stems == facts.stems


def test_a_song_may_have_long_names_of_everything(book: Any) -> None:
    """Rows of PostgreSQL's indexes have 2,704 bytes at most, and do not shrink what is random."""
    chance = random.Random(3)

    def name(length: int) -> str:
        return "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(length))

    values = {"artist": name(1000), "title": name(1000), "album": name(1000)}
    shown = values["artist"][:400]
    arrangements = [name(255) for _ in range(60)]
    stems = [name(255) for _ in range(60)]
    tuning = tuple(range(-99, -87))
    for signature in "12":
        track = book.add(
            name(60), signature, **values, arrangements=arrangements, stems=stems, tuning=tuning
        )
        assert book.ask("GET", "track", track)["artist"] == shown
    query = {"arrangements_has": arrangements[7], "stems_has": stems[9], "q": values["title"][:20]}
    assert len(book.listed(query)) == 2
    assert book.ask("GET", "library_stats")["totalArtists"] == 1
    (letter,) = json.loads(b"".join(book.ask("GET", "artists").body.chunks))["letters"]
    assert [each["name"] for each in letter["artists"]] == [shown]
    candidate = Candidate(name(1000), "sloppak", "1", 0.0)
    scanned = Scanned(book.context.db, "full", 1)
    with book.context.db.transaction():
        scanned.keep([candidate], {candidate.path: "added"})
    assert scanned.left_of([candidate]) == ([], {"added": 1})
