"""Pages of a large library: each order, filter and pair of filters against bare SQL on the same
tables, in SQLite and in PostgreSQL.

The peer is somebody who knows the tables and writes the statements by hand: of several plain ways
to get the same rows and the same total, the one that is fastest there."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import psycopg

from builtin_plugins.songs.artists import ArtistsQuery, artists_json
from builtin_plugins.songs.counting import stats, tuning_names
from builtin_plugins.songs.filters import LibraryQuery
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.tables import ORDERS
from host.db import SqliteEngine
from host.db.postgresql import PostgresqlEngine
from tests.benchmarks.bench import Bench
from tests.benchmarks.cases.songs import fill_row, filled
from tests.benchmarks.results import Aim, Figure, Row
from tests.postgresql import PostgresqlServer

TITLE = "Pages of 80,000 songs against bare SQL, in SQLite and in PostgreSQL"

_PROFILE: Final = 1
"""Whose favourites are asked for."""

Ask = Callable[[str], Any]
"""Runs a statement without parameters and fetches all rows."""

_RATIO: Final = Aim("ratio", "<=", 3)
_SIZES: Final = (50, 200)
_DEEP: Final = 75_000
"""What page 1,500 skips with 50 songs a page; it is page 375 with 200."""
_NAMED: Final = "facet IN (SELECT facet FROM facet_names WHERE kind = '{}' AND name = '{}')"
_SUMMED: Final = "SELECT coalesce(sum(songs), 0) FROM facets"


@dataclass(frozen=True)
class _Filter:
    """``asked`` are fields of a `LibraryQuery`, ``where`` the same as a condition over ``tracks``,
    ``facets`` as one over ``facets``: None where those do not know."""

    asked: Mapping[str, Any]
    where: str
    facets: str | None = None

    def __and__(self, other: _Filter) -> _Filter:
        both = None
        if self.facets is not None and other.facets is not None:
            both = f"{self.facets} AND {other.facets}"
        return _Filter({**self.asked, **other.asked}, f"{self.where} AND {other.where}", both)


def _of_names(field: str, kind: str, *names: str, lacks: bool = False) -> _Filter:
    no = "NOT " if lacks else ""
    where = " AND ".join(no + _NAMED.format(kind, name) for name in names)
    return _Filter({field: names}, where, where.replace("facet IN", "id IN"))


_ALL: Final = _Filter({}, "TRUE", "TRUE")
_FILTERS: Final[Mapping[str, _Filter]] = {
    "q": _Filter({"words": ("riv",)}, "searched LIKE '%riv%'"),
    "format": _Filter(
        {"format": "sloppak"},
        "facet IN (SELECT id FROM facets WHERE format = 'sloppak')",
        "format = 'sloppak'",
    ),
    "arrangements_has": _of_names("arrangements_has", "arrangement", "combo"),
    "arrangements_lacks": _of_names("arrangements_lacks", "arrangement", "lead", lacks=True),
    "stems_has": _of_names("stems_has", "stem", "drums"),
    "stems_lacks": _of_names("stems_lacks", "stem", "full", lacks=True),
    "has_lyrics": _Filter(
        {"has_lyrics": True}, "facet IN (SELECT id FROM facets WHERE has_lyrics)", "has_lyrics"
    ),
    "tunings": _Filter(
        {"tunings": ("Drop D",)}, "tuning_name = 'Drop D'", "tuning_name = 'Drop D'"
    ),
    "favorites": _Filter(
        {"favorites": True}, f"id IN (SELECT id FROM favorites WHERE profile_id = {_PROFILE})"
    ),
}
_MORE: Final[Mapping[str, _Filter]] = {
    "q of two words": _Filter(
        {"words": ("riv", "gold")}, "searched LIKE '%riv%' AND searched LIKE '%gold%'"
    ),
    "q whose songs lie together": _Filter({"words": ("the",)}, "searched LIKE '%the%'"),
    "q that is nowhere": _Filter({"words": ("zzz",)}, "searched LIKE '%zzz%'"),
    "q of one letter": _Filter({"words": ("e",)}, "searched LIKE '%e%'"),
    "has_lyrics=false": _Filter(
        {"has_lyrics": False},
        "facet IN (SELECT id FROM facets WHERE NOT has_lyrics)",
        "NOT has_lyrics",
    ),
    "two names in arrangements_has": _of_names("arrangements_has", "arrangement", "lead", "bass"),
    "two names in stems_lacks": _of_names("stems_lacks", "stem", "drums", "bass", lacks=True),
    "two tunings": _Filter(
        {"tunings": ("Drop D", "DADGAD")},
        "tuning_name IN ('Drop D', 'DADGAD')",
        "tuning_name IN ('Drop D', 'DADGAD')",
    ),
    "a tuning that is nowhere": _Filter(
        {"tunings": ("none",)}, "tuning_name = 'none'", "tuning_name = 'none'"
    ),
}


def run(bench: Bench) -> None:
    songs = bench.count(80_000, 4000)
    folder = bench.folder / "sqlite"
    with filled(SqliteEngine(folder, "normal"), songs) as (db, took):
        bench.block.rows.append(fill_row("SQLite: fill", songs, took))
        with closing(sqlite3.connect(folder / "plugins/songs/plugin.db")) as raw:
            _measure(bench, "SQLite", db, lambda statement: raw.execute(statement).fetchall())
    server = PostgresqlServer.started(Path(tempfile.mkdtemp(prefix="stagebox-postgresql-")))
    try:
        with filled(PostgresqlEngine(server.url()), songs) as (db, took):
            bench.block.rows.append(fill_row("PostgreSQL: fill", songs, took))
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("SET search_path TO stagebox_songs")
                connection.execute("VACUUM ANALYZE")  # as autovacuum does soon
                _measure(bench, "PostgreSQL", db, lambda s: connection.execute(s).fetchall())
    finally:
        server.remove()
    bench.block.notes.append(
        f"{songs:,} songs made up by `stagebox songs fill`, every twentieth a favourite. The peer "
        "knows the tables and has its own connection (sqlite3, psycopg): of three plain statements "
        "for the rows and two for the total it takes the ones that are fastest there. It makes no "
        "JSON. Of each row the comparison with the greatest ratio is shown, and which it was. "
        "Pages are walked to from the nearer end, so one in the middle takes longest."
    )


def _measure(bench: Bench, engine: str, db: Any, ask: Ask) -> None:
    """``ask`` is the peer's own connection to the database ``db``."""
    db.execute(f"INSERT INTO favorites SELECT {_PROFILE}, id FROM tracks WHERE id % 20 = 0")
    found = _Found(bench, engine, db, ask)
    found.orders()
    found.depth()
    for what, each in _FILTERS.items():
        found.of_filter(what, each, ORDERS)
    for what, each in _MORE.items():
        found.of_filter(what, each, ("artist", "recent"))
    found.pairs()
    found.others()


class _Found:
    def __init__(self, bench: Bench, engine: str, db: Any, ask: Ask) -> None:
        self._bench, self._engine, self._db, self._ask = bench, engine, db, ask
        self._library = Library(db)
        self._songs = db.value("SELECT count(*) FROM tracks")
        self._deep = min(_DEEP, self._songs * 15 // 16 // 200 * 200)

    def _row(self, what: str, row: Row) -> None:
        self._bench.block.rows.append(replace(row, what=f"{self._engine}: {what}"))

    def orders(self) -> None:
        """The first page and a deep one, of each order and both sizes."""
        for sort in ORDERS:
            pages = [
                (
                    f"{size} a page, {_named(size, skipped)}",
                    self._page(_ALL, sort, size, skipped),
                )
                for size in _SIZES
                for skipped in (0, self._deep)
            ]
            self._worst(f"sort={sort}, the slowest of four pages", pages)

    def depth(self) -> None:
        """A deep page beside the first, with nothing bare."""
        for size in _SIZES:
            for part, skipped in (("", self._deep), (", the middle", self._songs // 2)):
                pages = []
                for sort in ORDERS:
                    page = LibraryQuery(size=size, sort=sort, page=skipped // size)
                    pages.append(
                        (
                            f"sort={sort}",
                            partial(self._library.page, page, None),
                            partial(self._library.page, replace(page, page=0), None),
                        )
                    )
                named = f"{_named(size, skipped)} of {size} songs{part}, and page 0"
                aim = None if part else _RATIO  # nobody demands it of the middle: it is farthest
                self._worst(f"{named}, the slowest sort", pages, "page 0", aim)

    def of_filter(self, what: str, each: _Filter, sorts: Iterable[str]) -> None:
        pages = [(f"sort={sort}", self._page(each, sort)) for sort in sorts]
        matches = self._matches(each)
        if matches > 200:
            middle = matches // 100 * 50
            pages += [
                (f"{_named(50, middle)}, sort={sort}", self._page(each, sort, 50, middle))
                for sort in ("artist", "year-desc")
            ]
        self._worst(f"{what}, {matches:,} songs, the slowest of {len(pages)} pages", pages)

    def pairs(self) -> None:
        pages = [
            (f"{one} and {other}", self._page(_FILTERS[one] & _FILTERS[other], "artist"))
            for one, other in combinations(_FILTERS, 2)
        ]
        self._worst(f"two filters at once, the slowest of {len(pages)}", pages)

    def others(self) -> None:
        """Lists and numbers beside what their rows cost."""
        rows = (
            "SELECT p.artist_key, a.name, d.meta, EXISTS (SELECT 1 FROM variants v "
            "WHERE v.base = p.track_id), EXISTS (SELECT 1 FROM favorites m "
            f"WHERE m.profile_id = {_PROFILE} AND m.id = p.id) FROM tracks p "
            "JOIN artists a ON a.artist_key = p.artist_key JOIN documents d ON d.id = p.id "
        )
        order = "ORDER BY p.artist_key, p.title_key, p.track_id"
        lists = {
            "all artists": (ArtistsQuery(profile_id=_PROFILE), ""),
            "artists with M": (
                ArtistsQuery("M", profile_id=_PROFILE),
                "WHERE p.artist_key >= 'm' AND p.artist_key < 'n' ",
            ),
            "artists with q": (
                ArtistsQuery(None, ("riv",), profile_id=_PROFILE),
                "WHERE p.artist_key LIKE '%riv%' ",
            ),
            "favourites by artist": (
                ArtistsQuery(favorites=True, profile_id=_PROFILE),
                f"WHERE p.id IN (SELECT id FROM favorites WHERE profile_id = {_PROFILE}) ",
            ),
        }
        for what, (query, where) in lists.items():
            ours = partial(_drained, self._db, query)
            self._worst(what, [("", ours, partial(self._ask, rows + where + order))])
        summed = "SELECT letter, sum(songs), count(*) FROM artists GROUP BY letter"
        named = "SELECT tuning_name, sum(songs) FROM facets GROUP BY tuning_name ORDER BY 2 DESC, 1"
        self._worst("stats", [("", partial(stats, self._db), partial(self._ask, summed))])
        self._worst(
            "tuning names", [("", partial(tuning_names, self._db), partial(self._ask, named))]
        )

    def _page(
        self, each: _Filter, sort: str, size: int = 50, skipped: int = 0
    ) -> tuple[Callable[[], Any], Callable[[], Any]]:
        query = LibraryQuery(sort=sort, size=size, page=skipped // size, **each.asked)
        totals, pages = _bare(each, sort, size, skipped)
        total = min(totals, key=self._cost)
        page = min(pages, key=self._cost)
        return partial(self._library.page, query, _PROFILE), lambda: (
            self._ask(total),
            self._ask(page),
        )

    def _matches(self, each: _Filter) -> int:
        return int(self._ask(f"SELECT count(*) FROM tracks WHERE {each.where}")[0][0])

    def _cost(self, statement: str) -> float:
        return min(_time(partial(self._ask, statement)) for _ in range(2))

    def _worst(
        self, what: str, cases: list[Any], peer: str = "bare SQL", aim: Aim | None = _RATIO
    ) -> None:
        """Of several comparisons the one with the greatest ratio."""
        rows = []
        for name, *calls in cases:
            ours, theirs = calls[0] if isinstance(calls[0], tuple) else calls
            mine, other = self._compared(ours, theirs)
            rows.append(Row(what, Figure("ours", mine, "ms", name), Figure(peer, other, "ms"), aim))
        self._row(what, max(rows, key=lambda row: row.ratio or 0))

    def _compared(self, ours: Callable[[], Any], peer: Callable[[], Any]) -> tuple[float, float]:
        """Both in turn, so that a change of the machine's mood meets both."""
        for _ in range(self._bench.count(2, 1)):  # PostgreSQL prepares what comes often
            ours(), peer()
        taken = [(_time(ours), _time(peer)) for _ in range(self._bench.count(3, 3))]
        mine, theirs = zip(*taken, strict=True)
        return statistics.median(mine), statistics.median(theirs)


def _bare(each: _Filter, sort: str, size: int, skipped: int) -> tuple[list[str], list[str]]:
    """Statements for the total, and for the page."""
    totals = [f"SELECT count(*) FROM tracks WHERE {each.where}"]
    if each.facets is not None:
        totals.append(f"{_SUMMED} WHERE {each.facets}")
    order = ", ".join(_order(sort))
    columns = ", ".join(dict.fromkeys(["id", "track_id", *map(_column, ORDERS[sort])]))
    limit = f"ORDER BY {order} LIMIT {size} OFFSET {skipped}"
    found = f"SELECT {columns} FROM tracks WHERE {each.where}"
    shown = (
        "SELECT d.meta, EXISTS (SELECT 1 FROM variants v WHERE v.base = p.track_id), "
        f"EXISTS (SELECT 1 FROM favorites m WHERE m.profile_id = {_PROFILE} AND m.id = p.id) FROM "
    )
    join = "JOIN documents d ON d.id = p.id"
    walked = f"{shown} ({found} {limit}) p {join} ORDER BY {order}"
    if each is _ALL:
        return totals, [walked]
    return totals, [
        walked,
        f"WITH f AS MATERIALIZED ({found}) {shown} (SELECT * FROM f {limit}) p {join} "
        f"ORDER BY {order}",
        f"{shown} tracks p {join} WHERE p.id IN (SELECT id FROM tracks WHERE {each.where}) "
        f"{limit.replace('ORDER BY ' + order, 'ORDER BY ' + ', '.join(_order(sort, 'p.')))}",
    ]


def _order(sort: str, table: str = "") -> Iterator[str]:
    for column in ORDERS[sort]:
        yield table + _column(column) + (" DESC" if column.startswith("-") else "")


def _column(name: str) -> str:
    return name.removeprefix("-")


def _named(size: int, skipped: int) -> str:
    return f"page {skipped // size:,}"


def _drained(db: Any, query: ArtistsQuery) -> int:
    return sum(map(len, artists_json(db, query)))


def _time(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
