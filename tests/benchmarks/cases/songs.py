"""A library of 80,000 songs: pages, search, filters against bare SQL, and small against large;
then scans, sound and charts (`songs_served`)."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from builtin_plugins.songs.counting import random_covers, stats, tuning_names
from builtin_plugins.songs.filling import fill
from builtin_plugins.songs.filters import LibraryQuery
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.people import People
from builtin_plugins.songs.personal import Favorites, Loops, Scores
from builtin_plugins.songs.songbook import Songbook
from builtin_plugins.songs.tables import ORDERS, create_scanned, create_tables
from host.db import SqliteEngine
from plugin_sdk import Migration
from plugin_sdk.testing import FakeContext, FakeSettings, request, signed_in
from tests.benchmarks.bench import Bench
from tests.benchmarks.cases import songs_served
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "The song library, 80,000 songs against bare SQL and against 1,000 songs"

_ORDER: Final = "ORDER BY artist_key, title_key, track_id"
_SHOWN: Final = (
    "SELECT d.meta, EXISTS (SELECT 1 FROM variants v WHERE v.base = p.track_id), 0 "
    "FROM (SELECT id, track_id FROM {source} " + _ORDER + " LIMIT 50 OFFSET {skipped}) p "
    "JOIN documents d ON d.id = p.id"
)
_NAMED: Final = "facet IN (SELECT facet FROM facet_names WHERE kind = '{kind}' AND name = '{name}')"
_FILTERS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "search for three letters": ({"words": ("riv",)}, "searched LIKE '%riv%'"),
    "format": ({"format": "sloppak"}, "facet IN (SELECT id FROM facets WHERE format = 'sloppak')"),
    "arrangements_has": (
        {"arrangements_has": ("combo",)},
        _NAMED.format(kind="arrangement", name="combo"),
    ),
    "arrangements_lacks": (
        {"arrangements_lacks": ("lead",)},
        "NOT " + _NAMED.format(kind="arrangement", name="lead"),
    ),
    "stems_has": ({"stems_has": ("drums",)}, _NAMED.format(kind="stem", name="drums")),
    "stems_lacks": ({"stems_lacks": ("full",)}, "NOT " + _NAMED.format(kind="stem", name="full")),
    "has_lyrics": ({"has_lyrics": True}, "facet IN (SELECT id FROM facets WHERE has_lyrics)"),
    "tunings": ({"tunings": ("Drop D",)}, "tuning_name = 'Drop D'"),
    "favorites": (
        {"favorites": True},
        "id IN (SELECT id FROM favorites WHERE profile_id = 1)",
    ),
}
"""A filter as a request has it, and as the condition of somebody who knows the tables."""
_RATIO: Final = Aim("ratio", "<=", 3)
_EVERYTHING: Final = LibraryQuery(
    words=("riv",), arrangements_has=("lead",), stems_lacks=("drums",), has_lyrics=True
)


def run(bench: Bench) -> None:
    large = bench.count(80_000, 4000)
    with (
        filled(bench.folder / "small", 1000) as small,
        _timed() as took,
        filled(bench.folder / "large", large) as db,
    ):
        rows = bench.block.rows
        cost = f"{large / took.cpu():,.0f} per second of the processor"
        filling = Figure("songs", large / took.wall(), "/s", cost)
        rows.append(Row("fill", filling, None, Aim("ours", ">=", 10_000, "/s")))
        db.execute("INSERT INTO favorites SELECT 1, id FROM tracks WHERE id % 20 = 0")
        _against_sql(bench, db, large)
        _large_and_small(bench, db, small)
        _limits(bench, db)
    bench.block.notes.append(
        f"{large:,} songs made up by `stagebox songs fill`, in SQLite; medians. The first part is "
        "without HTTP. Bare SQL is the same page and the same total from the same tables, with "
        "count(*) and OFFSET, through Python's sqlite3."
    )
    songs_served.run(bench)


def _against_sql(bench: Bench, db: Any, large: int) -> None:
    rows, library, last = bench.block.rows, Library(db), large // 50 - 1
    with closing(sqlite3.connect(bench.folder / "large/plugins/songs/plugin.db")) as raw:
        for what, page in (
            ("first page", 0),
            ("page 1,500" if last > 1500 else "page before the last", min(1500, last - 1)),
            ("last page", last),
        ):
            ours = partial(library.page, LibraryQuery(page=page), None)
            rows.append(_compared(bench, what, ours, partial(_bare, raw, "tracks", page)))
        for what, (named, condition) in _FILTERS.items():
            query = partial(library.page, LibraryQuery(**named), 1)
            bare = partial(_bare, raw, f"tracks WHERE {condition}", 0)
            rows.append(_compared(bench, what, query, bare))


def _large_and_small(bench: Bench, db: Any, small: Any) -> None:
    rows, library, few = bench.block.rows, Library(db), Library(small)
    pages = {}
    for sort in ORDERS:
        query = LibraryQuery(sort=sort)
        ours, peer = partial(library.page, query, None), partial(few.page, query, None)
        pages[sort] = _compared(bench, f"first page by {sort}, large and small", ours, peer)
    rows.append(max(pages.values(), key=lambda row: row.ratio or 0))
    deepest = LibraryQuery(page=db.value("SELECT count(*) FROM tracks") // 50 - 1)
    rows.append(
        _compared(
            bench,
            "deepest page and the first",
            partial(library.page, deepest, None),
            partial(library.page, LibraryQuery(), None),
        )
    )
    many, one = _Visitor(db), _Visitor(small)
    for what in ("toggle", "score", "loop"):
        calls = getattr(many, what), getattr(one, what)
        rows.append(_compared(bench, f"{what}, large and small", *calls))
    covers = partial(random_covers, db, 30), partial(random_covers, small, 30)
    rows.append(_compared(bench, "30 covers, large and small", *covers))


def _limits(bench: Bench, db: Any) -> None:
    library = Library(db)
    for what, call, limit in (
        ("search, 95th percentile", lambda: library.page(LibraryQuery(words=("riv",)), None), 200),
        ("four filters and a search, 95th", lambda: library.page(_EVERYTHING, None), 300),
        ("stats", lambda: stats(db), 50),
        ("tuning names", lambda: tuning_names(db), 50),
    ):
        began = time.thread_time()
        taken = sorted(_times(bench, call))
        cost = (time.thread_time() - began) * 1000 / (len(taken) + 1)
        late = taken[int(len(taken) * 0.95)] if "95" in what else statistics.median(taken)
        figure = Figure("large", late, "ms", f"{cost:.2g} ms of the processor")
        bench.block.rows.append(Row(what, figure, None, Aim("ours", "<=", limit, "ms")))


class _Visitor:
    """Keeps things with songs, each time with another one."""

    def __init__(self, db: Any) -> None:
        context = FakeContext("songs")
        book, people = Songbook(db), People(context.services)
        ids = [row["track_id"] for row in db.query("SELECT track_id FROM tracks LIMIT 500")]
        self._tracks = (ids[number % len(ids)] for number in count())
        self._favorites = Favorites(db, context.events, book, people)
        self._scores = Scores(db, context.clock, context.events, book, people)
        self._loops = Loops(db, context.clock, book, people)

    def toggle(self) -> None:
        self._favorites.toggle(_asked(trackId=next(self._tracks)))

    def score(self) -> None:
        self._scores.submit(_asked(score=50), next(self._tracks))

    def loop(self) -> None:
        self._loops.add(_asked(start_time=1, end_time=2), next(self._tracks))


def _asked(**body: Any) -> Any:
    return request("POST", principal=signed_in(profile_id=1, name="Alice"), body=body)


@contextmanager
def filled(folder: Path, songs: int) -> Iterator[Any]:
    """A database with so many made-up songs."""
    db = SqliteEngine(folder, "normal").open("songs")
    with closing(db):
        steps = [Migration("001-library", create_tables), Migration("002-scanned", create_scanned)]
        db.migrate(steps)
        with FakeContext("songs") as context:
            schema = {"properties": {"dlcDir": {"type": "string", "default": ""}}}
            index = LibraryIndex(db, context.clock)
            fill(db, index, context.clock, FakeSettings({}, schema), songs)
        yield db


class _timed:
    """How long it has been."""

    def __enter__(self) -> _timed:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wall(self) -> float:
        return time.perf_counter() - self._wall

    def cpu(self) -> float:
        return time.process_time() - self._cpu


def _bare(raw: sqlite3.Connection, source: str, page: int) -> Any:
    total = raw.execute(f"SELECT count(*) FROM {source}").fetchone()
    return total, raw.execute(_SHOWN.format(source=source, skipped=page * 50)).fetchall()


def _compared(bench: Bench, what: str, ours: Callable[[], Any], peer: Callable[[], Any]) -> Row:
    """Both in turn, so that a change of the machine's mood meets both."""
    ours(), peer()
    taken: list[tuple[float, float]] = []
    for _ in range(bench.count(15, 3)):
        taken.append((_time(ours), _time(peer)))
    mine, theirs = (statistics.median(column) for column in zip(*taken, strict=True))
    return Row(what, Figure("ours", mine, "ms"), Figure("peer", theirs, "ms"), _RATIO)


def _times(bench: Bench, call: Callable[[], Any]) -> list[float]:
    call()
    return [_time(call) for _ in range(bench.count(40, 3))]


def _time(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
