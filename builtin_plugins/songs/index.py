"""Writing the library: songs, their tracks, and everything that is counted along.

All methods want a transaction around them; there is one writer at a time, so what is read there is
true until it is written.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from builtin_plugins.songs.chunks import chunks, listed
from builtin_plugins.songs.facts import Edits, SongFacts
from builtin_plugins.songs.identity import letter_of, track_id_of
from builtin_plugins.songs.rows import Facet, Identity, bases_of, facet_of, meta_of, track_row
from plugin_sdk import Clock, Database, Row

__all__ = ["Found", "LibraryIndex", "Outcome"]

_VERY_MANY: Final = 2000
_SONGS: Final = (
    "SELECT s.id, s.track_id, s.filename, s.imported_at, t.facet, t.artist AS counted, "
    "t.artist_key, t.created_at, d.facts, e.title, e.artist, e.album, e.year, e.cover, e.revision "
    "FROM songs s LEFT JOIN tracks t ON t.id = s.id LEFT JOIN documents d ON d.id = t.id "
    "LEFT JOIN edits e ON e.id = s.id WHERE s."
)
_NEW: Final = dict.fromkeys(
    (
        *["facet", "counted", "artist_key", "created_at", "facts"],
        *["title", "artist", "album", "year", "cover", "revision"],
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """A song that was read from its file."""

    filename: str
    path: str
    format: str
    signature: str
    facts: SongFacts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a found song."""

    track_id: str
    filename: str
    what: Literal["added", "changed"]


class _Counts:
    """Changes of the counters, gathered over a batch."""

    def __init__(self) -> None:
        self.facets: Counter[int] = Counter()
        self.spellings: Counter[tuple[str, str]] = Counter()

    def add(self, facet: int, artist_key: str, artist: str, number: int) -> None:
        self.facets[facet] += number
        self.spellings[artist_key, artist] += number


class LibraryIndex:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def put(self, batch: Sequence[Found]) -> list[Outcome]:
        """Adds songs, or replaces what was known of them; identity, edits and what people keep
        stay. A file may occur once in a batch."""
        ids = {track_id_of(found.filename): found for found in batch}
        known = {row["track_id"]: row for row in self._songs("track_id", list(ids))}
        now = self._clock.ms()
        fresh = [
            {
                "track_id": track_id,
                "filename": found.filename,
                "path": found.path,
                "format": found.format,
                "signature": found.signature,
                "imported_at": now,
            }
            for track_id, found in ids.items()
            if track_id not in known
        ]
        self._db.executemany(
            "UPDATE songs SET path = :path, format = :format, signature = :signature "
            "WHERE track_id = :track_id",
            [
                {
                    "path": found.path,
                    "format": found.format,
                    "signature": found.signature,
                    "track_id": track_id,
                }
                for track_id, found in ids.items()
                if track_id in known
            ],
        )
        if fresh:
            last = self._db.value("SELECT max(id) FROM songs") or 0
            self._db.table("songs").insert_all(fresh)
            known |= self._new_ids(fresh, last)
        self._delete_where("unreadable", "track_id", list(ids))
        self._delete_where("deletions", "track_id", list(ids))
        self._write([(known[track_id], found.facts.storable()) for track_id, found in ids.items()])
        return [
            Outcome(track_id, found.filename, "added" if row["created_at"] is None else "changed")
            for track_id, found in ids.items()
            for row in [known[track_id]]
        ]

    def refresh(self, song_id: int) -> None:
        """After a change of its edits: shows the song anew."""
        for row in self._songs("id", [song_id]):
            if row["facts"] is not None:
                self._write([(row, SongFacts.from_json(row["facts"]))])

    def orphan(self, song_ids: Sequence[int]) -> int:
        """Takes tracks away and keeps songs; returns how many there were."""
        counts = _Counts()
        removed = 0
        for chunk in chunks(song_ids):
            for row in self._songs("id", chunk):
                if row["facts"] is not None:
                    removed += 1
                    self._count(counts, row, -1)
            for table in ("documents", "variants", "tracks"):
                self._delete_where(table, "id", chunk)
        self._apply(counts)
        return removed

    def remove(self, song_ids: Sequence[int]) -> None:
        """Takes songs away with everything that hangs on them, whoever's it is."""
        self.orphan(song_ids)
        for table, column in (
            ("favorites", "id"),
            ("scores", "id"),
            ("loops", "song"),
            ("edits", "id"),
            ("songs", "id"),
        ):
            self._delete_where(table, column, song_ids)

    def _songs(self, column: str, values: Sequence[Any]) -> Iterator[Row]:
        for chunk in chunks(values):
            names, params = listed(chunk)
            yield from self._db.query(f"{_SONGS}{column} IN ({names})", params)

    def _new_ids(self, fresh: Sequence[Mapping[str, Any]], last: int) -> dict[str, Row]:
        """Rows as `_songs` gives them, of songs that were just added; ``last`` is the greatest id
        before."""
        found: dict[str, Row] = {row["track_id"]: {**_NEW, **row} for row in fresh}
        sql = "SELECT id, track_id FROM songs WHERE id > :last"
        for row in self._db.query(sql, {"last": last}):
            if row["track_id"] in found:
                found[row["track_id"]]["id"] = row["id"]
        return found

    def _delete_where(self, table: str, column: str, values: Sequence[Any]) -> None:
        for chunk in chunks(values):
            names, params = listed(chunk)
            self._db.execute(f"DELETE FROM {table} WHERE {column} IN ({names})", params)

    # What is shown of them

    def _write(self, songs: Sequence[tuple[Row, SongFacts]]) -> None:
        now = self._clock.ms()
        counts = _Counts()
        shown = [(row, Edits.of(row).over(facts), facts) for row, facts in songs]
        wanted = [facet_of(each) for _, each, _ in shown]
        facets = self._facets(set(wanted))
        fresh: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        described: list[tuple[Identity, SongFacts, SongFacts]] = []
        for (row, each, facts), wish in zip(shown, wanted, strict=True):
            identity = Identity(row["id"], row["track_id"], row["filename"], row["imported_at"])
            facet = facets[wish]
            track = track_row(identity, each, facet, now)
            described.append((identity, each, facts))
            if row["created_at"] is None:
                fresh.append({**track, "created_at": now})
            else:
                self._count(counts, row, -1)
                changed.append({**track, "created_at": row["created_at"]})
            counts.add(facet, track["artist_key"], each.artist, 1)
        with _documents_of(described) as documents:
            if fresh:
                self._db.table("tracks").insert_all(fresh)
                self._note_variants(fresh, {row["id"]: row["filename"] for row, _, _ in shown})
            if changed:
                self._db.table("tracks").upsert_all(changed)
            self._write_documents(fresh, documents())
        self._apply(counts)

    def _write_documents(
        self, fresh: Sequence[Mapping[str, Any]], documents: Sequence[Mapping[str, Any]]
    ) -> None:
        new = {row["id"] for row in fresh}
        table = self._db.table("documents")
        if new:
            table.insert_all([each for each in documents if each["id"] in new])
        if len(new) < len(documents):
            table.upsert_all([each for each in documents if each["id"] not in new])

    def _note_variants(
        self, fresh: Iterable[Mapping[str, Any]], filenames: Mapping[int, str]
    ) -> None:
        rows = [
            {"base": base, "id": row["id"]}
            for row in fresh
            for base in bases_of(filenames[row["id"]])
        ]
        if rows:
            self._db.table("variants").insert_all(rows, ignore=True)

    # What is counted

    def _count(self, counts: _Counts, row: Row, number: int) -> None:
        counts.add(row["facet"], row["artist_key"], row["counted"], number)

    def _facets(self, wanted: set[Facet]) -> dict[Facet, int]:
        by_key = {facet.key: facet for facet in wanted}
        found = self._known_facets(by_key)
        missing = {key: facet for key, facet in by_key.items() if facet not in found}
        if missing:
            self._db.table("facets").insert_all(
                {
                    "key": key,
                    "format": facet.format,
                    "has_lyrics": facet.has_lyrics,
                    "tuning_name": facet.tuning_name,
                }
                for key, facet in missing.items()
            )
            added = self._known_facets(missing)
            self._db.table("facet_names").insert_all(
                {"kind": kind, "name": name, "facet": number}
                for facet, number in added.items()
                for kind, names in (("arrangement", facet.arrangements), ("stem", facet.stems))
                for name in names
            )
            found |= added
        return found

    def _known_facets(self, by_key: Mapping[str, Facet]) -> dict[Facet, int]:
        found: dict[Facet, int] = {}
        for chunk in chunks(list(by_key)):
            names, params = listed(chunk)
            for row in self._db.query(f"SELECT id, key FROM facets WHERE key IN ({names})", params):
                found[by_key[row["key"]]] = row["id"]
        return found

    def _apply(self, counts: _Counts) -> None:
        self._db.executemany(
            "UPDATE facets SET songs = songs + :number WHERE id = :id",
            [{"id": id, "number": number} for id, number in counts.facets.items() if number],
        )
        changed = {key: number for key, number in counts.spellings.items() if number}
        self._db.executemany(
            "INSERT INTO spellings (artist_key, name, songs) VALUES (:artist_key, :name, :number) "
            "ON CONFLICT (artist_key, name) DO UPDATE SET songs = spellings.songs + :number",
            [{"artist_key": key, "name": name, "number": n} for (key, name), n in changed.items()],
        )
        self._sum_up({key for key, _ in changed})

    def _sum_up(self, artist_keys: set[str]) -> None:
        """Each artist's number of songs, in the spelling that most of them use."""
        for chunk in chunks(sorted(artist_keys)):
            names, params = listed(chunk)
            self._db.execute(
                f"DELETE FROM spellings WHERE songs <= 0 AND artist_key IN ({names})", params
            )
            best: dict[str, dict[str, Any]] = {}
            for row in self._db.query(
                "SELECT artist_key, name, songs FROM spellings "
                f"WHERE artist_key IN ({names}) ORDER BY artist_key, songs DESC, name",
                params,
            ):
                artist = best.setdefault(row["artist_key"], {**row, "songs": 0})
                artist["songs"] += row["songs"]
            self._db.execute(f"DELETE FROM artists WHERE artist_key IN ({names})", params)
            self._db.table("artists").insert_all(
                {**artist, "letter": letter_of(key)} for key, artist in best.items()
            )


@contextmanager
def _documents_of(
    songs: Sequence[tuple[Identity, SongFacts, SongFacts]],
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Rows of ``documents``: of songs as they are shown, and as their files have them. Those of
    very many are made on a thread beside, while a server takes in their tracks."""
    if len(songs) < _VERY_MANY:
        yield lambda: _documents(songs)
        return
    with ThreadPoolExecutor(1, "songs-documents") as beside:
        yield beside.submit(_documents, songs).result


def _documents(songs: Iterable[tuple[Identity, SongFacts, SongFacts]]) -> list[dict[str, Any]]:
    return [
        {"id": song.id, "meta": meta_of(song, shown), "facts": facts.to_json()}
        for song, shown, facts in songs
    ]
