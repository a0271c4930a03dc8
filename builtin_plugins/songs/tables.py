"""The plugin's tables and indexes.

A song keeps its row in ``songs`` for as long as anything hangs on it; what the library shows has
rows in ``tracks`` and ``documents`` too. A song without them is an orphan (songs contract, 1).

* ``tracks`` is narrow: what is sorted, searched and filtered by, edits applied. There is one index
  for each order of the library; each holds all that a page needs to be found, so that walking it
  touches nothing else.
* ``facets``: one row for each combination of format, lyrics, tuning, names of arrangements and
  stems that occurs. A filter looks through these few rows, and the songs' index for their numbers.
  ``songs`` counts the tracks that have them: the total of a filter is a sum.
* ``documents``: a song as JSON, rendered once (``meta``), and what its file says (``facts``).
* ``artists`` and ``spellings`` count tracks by folded artist.
* ``variants``: tracks whose name makes another one's ``hasEstd`` true.

``id`` is that of the song in all of them. Rows of tables whose key it is are removed by hand: such
a key is an identity and refers to nothing.
"""

from __future__ import annotations

from typing import Final

from plugin_sdk import Column, Database, ForeignKey

__all__ = [
    "ORDERS",
    "create_orders",
    "create_scanned",
    "create_tables",
    "drop_orders",
    "number_deletions",
]

ORDERS: Final = {
    "artist": ("artist_key", "title_key", "track_id"),
    "artist-desc": ("-artist_key", "title_key", "track_id"),
    "title": ("title_key", "artist_key", "track_id"),
    "title-desc": ("-title_key", "artist_key", "track_id"),
    "recent": ("-imported_at", "track_id"),
    "tuning": ("tuning_sort", "tuning_name", "artist_key", "title_key", "track_id"),
    "year": ("year_up", "artist_key", "title_key", "track_id"),
    "year-desc": ("year_down", "artist_key", "title_key", "track_id"),
}
"""Columns of each sort of the library (songs contract, 3.2); ``-`` is descending."""

_TEXT: Final = Column("text", null=False)
_INTEGER: Final = Column("integer", null=False)
_REAL: Final = Column("real", null=False)
_BOOLEAN: Final = Column("boolean", null=False)
_COUNT: Final = Column("integer", null=False, default=0)


_SONG: Final = Column("integer", null=False, references=ForeignKey("songs", "id", "cascade"))


def create_tables(db: Database) -> None:
    _create_songs(db)
    _create_tracks(db)
    _create_counters(db)
    _create_personal(db)
    _create_scanning(db)


def create_orders(db: Database) -> None:
    """The indexes that pages walk."""
    for name, columns in ORDERS.items():
        db.table("tracks").create_index([*columns, "facet", "id"], name=_index(name))


def drop_orders(db: Database) -> None:
    """Before very many songs come at once, inside of their transaction: to make such an index is
    cheaper than to keep it."""
    for name in ORDERS:
        db.execute(f"DROP INDEX {_index(name)}")


def _index(order: str) -> str:
    return f"tracks_by_{order.replace('-', '_')}"


def _create_songs(db: Database) -> None:
    db.table("songs").create(
        {
            "id": "integer",
            "track_id": Column("text", null=False, unique=True),
            "filename": _TEXT,
            "path": _TEXT,  # as the file system spells it
            "format": _TEXT,
            "signature": _TEXT,
            "imported_at": _INTEGER,
        },
        pk="id",
    )
    db.table("edits").create(
        {
            "id": "integer",
            "title": "text",
            "artist": "text",
            "album": "text",
            "year": "text",  # "" for unknown
            "cover": "text",  # a mark that is another one for each uploaded cover
            "revision": _INTEGER,
        },
        pk="id",
    )


def _create_tracks(db: Database) -> None:
    tracks = db.table("tracks").create(
        {
            "id": "integer",
            "track_id": Column("text", null=False, unique=True),
            "artist": _TEXT,
            "artist_key": _TEXT,
            "title_key": _TEXT,
            "searched": _TEXT,
            "year_up": _INTEGER,
            "year_down": _INTEGER,
            "tuning_sort": _INTEGER,
            "tuning_name": _TEXT,
            "imported_at": _INTEGER,
            "facet": _INTEGER,
            "has_cover": _BOOLEAN,
            "created_at": _INTEGER,
            "modified_at": _INTEGER,
        },
        pk="id",
    )
    create_orders(db)
    tracks.create_index(["track_id"], where="has_cover", name="tracks_with_cover")
    db.table("documents").create({"id": "integer", "meta": _TEXT, "facts": _TEXT}, pk="id")
    variants = {"id": _SONG, "base": _TEXT}
    db.table("variants").create(variants, pk=["base", "id"]).create_index(["id"])


def _create_counters(db: Database) -> None:
    db.table("facets").create(
        {
            "id": "integer",
            "key": Column("text", null=False, unique=True),
            "format": _TEXT,
            "has_lyrics": _BOOLEAN,
            "tuning_name": _TEXT,
            "songs": _COUNT,
        },
        pk="id",
    ).create_index(["tuning_name", "songs"])
    of_facet = Column("integer", null=False, references=ForeignKey("facets", "id", "cascade"))
    names = {"kind": _TEXT, "name": _TEXT, "facet": of_facet}
    db.table("facet_names").create(names, pk=["kind", "name", "facet"]).create_index(["facet"])
    db.table("artists").create(
        {"artist_key": _TEXT, "name": _TEXT, "letter": _TEXT, "songs": _COUNT}, pk="artist_key"
    ).create_index(["letter", "songs"])
    spellings = {"artist_key": _TEXT, "name": _TEXT, "songs": _COUNT}
    db.table("spellings").create(spellings, pk=["artist_key", "name"])


def _create_personal(db: Database) -> None:
    db.table("favorites").create(
        {"profile_id": _INTEGER, "id": _SONG}, pk=["profile_id", "id"]
    ).create_index(["id"])
    db.table("scores").create(
        {
            "profile_id": _INTEGER,
            "id": _SONG,
            "best": _INTEGER,
            "plays": _INTEGER,
            "last_played_at": _INTEGER,
        },
        pk=["profile_id", "id"],
    ).create_index(["id"])
    loops = db.table("loops").create(
        {
            "id": "integer",
            "song": _SONG,
            "profile_id": _INTEGER,
            "name": _TEXT,
            "start_time": _REAL,
            "end_time": _REAL,
            "created_at": _INTEGER,
        },
        pk="id",
    )
    loops.create_index(["song", "profile_id", "id"])
    loops.create_index(["profile_id"])


def _create_scanning(db: Database) -> None:
    db.table("deletions").create({"track_id": _TEXT, "signature": _TEXT}, pk="track_id")
    db.table("unreadable").create(
        {"track_id": _TEXT, "filename": _TEXT, "signature": _TEXT, "message": _TEXT},
        pk="track_id",
    )
    db.table("objects").create(
        {"key": _TEXT, "song": "integer", "signature": _TEXT, "kind": _TEXT}, pk="key"
    ).create_index(["song"])
    db.table("states").create({"name": _TEXT, "value": Column("json", null=False)}, pk="name")


def create_scanned(db: Database) -> None:
    """What a full run has read; ``run`` is when it began, ``path`` the trackId."""
    columns = {"path": _TEXT, "signature": _TEXT, "outcome": _TEXT, "run": _INTEGER}
    db.table("scanned").create(columns, pk="path")


def number_deletions(db: Database) -> None:
    """Those that were made before have no number: every run comes later."""
    db.table("deletions").add_column("number", _COUNT)
