"""A library of 80,000 songs: pages, search, filters against bare SQL, and small against large."""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from builtin_plugins.songs.artists import ArtistsQuery, artists_json
from builtin_plugins.songs.counting import random_covers, stats, tuning_names
from builtin_plugins.songs.filling import fill
from builtin_plugins.songs.filters import LibraryQuery
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.listing import Library
from builtin_plugins.songs.tables import create_tables
from host.db import SqliteEngine
from plugin_sdk import Migration
from plugin_sdk.testing import FakeClock, FakeSettings
from tests.benchmarks.bench import Bench
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "The song library, 80,000 songs against bare SQL and against 1,000 songs"

_PAGE = (
    "SELECT d.meta FROM (SELECT id FROM tracks ORDER BY artist_key, title_key, track_id "
    "LIMIT 50 OFFSET ?) p JOIN documents d ON d.id = p.id"
)
_TOTAL = "SELECT count(*) FROM tracks"
_COUNT = "SELECT count(*) FROM tracks WHERE searched LIKE '%riv%'"
_FOUND = (
    "SELECT d.meta FROM (SELECT id FROM tracks WHERE searched LIKE '%riv%' "
    "ORDER BY artist_key, title_key, track_id LIMIT 50) p JOIN documents d ON d.id = p.id"
)
_RATIO = Aim("ratio", "<=", 3)


def run(bench: Bench) -> None:
    large = bench.count(80_000, 4000)
    small_db = _filled(bench.folder / "small", 1000)
    began = time.perf_counter()
    db = _filled(bench.folder / "large", large)
    rate = large / (time.perf_counter() - began)
    rows = bench.block.rows
    rows.append(Row("fill", Figure("songs", rate, "/s"), None, Aim("ours", ">=", 10_000, "/s")))
    library, small = Library(db), Library(small_db)
    last = large // 50 - 1
    with closing(sqlite3.connect(bench.folder / "large/plugins/songs/plugin.db")) as raw:
        for what, page in (("first page", 0), ("middle page", last // 2), ("last page", last)):
            rows.append(
                _compared(
                    bench,
                    f"{what} with its total, through the plugin and as bare SQL",
                    partial(library.page, LibraryQuery(page=page), None),
                    partial(_page, raw, page),
                )
            )
        rows.append(
            _compared(
                bench,
                "search for three letters, with its total",
                lambda: library.page(LibraryQuery(words=("riv",)), None),
                lambda: (raw.execute(_COUNT).fetchall(), raw.execute(_FOUND).fetchall()),
            )
        )
    for what, query in (
        ("first page", LibraryQuery()),
        ("first page by tuning", LibraryQuery(sort="tuning")),
    ):
        rows.append(
            _compared(
                bench,
                f"{what}, large and small library",
                partial(library.page, query, None),
                partial(small.page, query, None),
            )
        )
    filters = LibraryQuery(
        words=("riv",), arrangements_has=("lead",), stems_lacks=("drums",), has_lyrics=True
    )
    for what, call, limit in (
        ("four filters and a search", lambda: library.page(filters, None), 300),
        ("stats", lambda: stats(db), 50),
        ("tuning names", lambda: tuning_names(db), 50),
        ("30 covers", lambda: random_covers(db, 30), 50),
        ("all artists", lambda: sum(map(len, artists_json(db, ArtistsQuery()))), None),
    ):
        aim = None if limit is None else Aim("ours", "<=", limit, "ms")
        rows.append(Row(what, Figure("large", _milliseconds(bench, call), "ms"), None, aim))
    db.close()
    small_db.close()
    bench.block.notes.append(
        f"{large:,} songs made up by `stagebox songs fill`, in SQLite; medians. Without HTTP."
    )


def _filled(folder: Path, count: int) -> Any:
    db = SqliteEngine(folder, "normal").open("songs")
    db.migrate([Migration("001-library", create_tables)])
    clock = FakeClock()
    fill(db, LibraryIndex(db, clock), clock, _no_folder(), count)
    return db


def _no_folder() -> FakeSettings:
    schema = {"properties": {"dlcDir": {"type": "string", "default": ""}}}
    return FakeSettings({}, schema)


def _page(raw: sqlite3.Connection, page: int) -> Any:
    return [raw.execute(_TOTAL).fetchone(), raw.execute(_PAGE, (page * 50,)).fetchall()]


def _compared(bench: Bench, what: str, ours: Callable[[], Any], peer: Callable[[], Any]) -> Row:
    return Row(
        what,
        Figure("ours", _milliseconds(bench, ours), "ms"),
        Figure("peer", _milliseconds(bench, peer), "ms"),
        _RATIO,
    )


def _milliseconds(bench: Bench, call: Callable[[], Any]) -> float:
    call()
    taken = []
    for _ in range(bench.count(15, 3)):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
