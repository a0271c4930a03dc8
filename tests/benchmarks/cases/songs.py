"""A library of 80,000 songs against a small one; then scans, sound and charts (`songs_served`).
Pages against bare SQL are `songs_pages`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import Any, Final, NamedTuple

from builtin_plugins.songs import Songs
from builtin_plugins.songs.counting import random_covers, stats, tuning_names
from builtin_plugins.songs.filling import fill
from builtin_plugins.songs.filters import LibraryQuery
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.people import People
from builtin_plugins.songs.personal import Favorites, Loops, Scores
from builtin_plugins.songs.songbook import Songbook
from builtin_plugins.songs.tables import ORDERS
from host.db import Engine, SqliteEngine
from plugin_sdk.testing import FakeContext, FakeSettings, request, signed_in
from tests.benchmarks.bench import Bench
from tests.benchmarks.cases import songs_served
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "The song library, 80,000 songs against 1,000"

_RATIO: Final = Aim("ratio", "<=", 3)
_EVERYTHING: Final = LibraryQuery(
    words=("riv",), arrangements_has=("lead",), stems_lacks=("drums",), has_lyrics=True
)


def run(bench: Bench) -> None:
    large = bench.count(80_000, 4000)
    with (
        filled(SqliteEngine(bench.folder / "small", "normal"), 1000) as (small, _),
        filled(SqliteEngine(bench.folder / "large", "normal"), large) as (db, took),
    ):
        bench.block.rows.append(fill_row("fill", large, took))
        _large_and_small(bench, db, small)
        _limits(bench, db)
    bench.block.notes.append(
        f"{large:,} songs made up by `stagebox songs fill`, in SQLite; medians. The first part is "
        "without HTTP. Pages against bare SQL are in `songs_pages`."
    )
    songs_served.run(bench)


def fill_row(what: str, songs: int, took: Took) -> Row:
    """How many of ``songs`` were made up in a second."""
    cost = f"{songs / took.cost:,.0f} per second of the processor"
    figure = Figure("songs", songs / took.seconds, "/s", cost)
    return Row(what, figure, None, Aim("ours", ">=", 10_000, "/s"))


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


class Took(NamedTuple):
    """``cost`` is this process's time on the processor, in seconds as well."""

    seconds: float
    cost: float


@contextmanager
def filled(engine: Engine, songs: int) -> Iterator[tuple[Any, Took]]:
    """A database of the engine with so many made-up songs, and what it took to make them."""
    with closing(engine):
        db = engine.open("songs")
        with FakeContext("songs") as context:
            db.migrate(Songs(context).migrations())
            schema = {"properties": {"dlcDir": {"type": "string", "default": ""}}}
            index = LibraryIndex(db, context.clock)
            began, cost = time.perf_counter(), time.process_time()
            fill(db, index, context.clock, FakeSettings({}, schema), songs)
            took = Took(time.perf_counter() - began, time.process_time() - cost)
        yield db, took


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
