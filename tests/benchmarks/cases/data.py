"""``context.data`` against raw SQLite at the same durability."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from host.testing import TestHost
from plugin_sdk import Data
from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import BENCH_PLUGIN
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "context.data against raw SQLite at the same durability"

_KEYS = [f"key-{number}" for number in range(1000)]
_VALUE = {"label": "A sound", "url": "https://sounds.example/a.ogg", "volume": 0.5, "plays": 17}
_GET_AIM = Aim("ours", ">=", 100_000, "/s")
_SET_AIM = Aim("ratio", ">=", 0.5)
_SELECT = "SELECT value FROM kv WHERE kind = ? AND scope = ? AND key = ?"
_UPSERT = (
    "INSERT INTO kv (kind, scope, key, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, scope, key) DO UPDATE SET value = excluded.value"
)

Durability = Literal["full", "normal"]


def run(bench: Bench) -> None:
    for durability in ("full", "normal"):
        folder = bench.folder / durability
        with TestHost(folder, plugins=[BENCH_PLUGIN], config={"durability": durability}) as host:
            data = host.plugin("bench").context.data
            with closing(_connect(folder / "plugins" / "raw.sqlite", durability)) as raw:
                _compare(bench, data, raw, durability)
    bench.block.notes.append(
        "One thread, 1,000 keys, values of 75 bytes. Raw: sqlite3 of the standard library, WAL, "
        "one statement each in autocommit, and json for the value."
    )


def _compare(bench: Bench, data: Data, raw: sqlite3.Connection, durability: Durability) -> None:
    for key in _KEYS:
        data.set(key, _VALUE)
        _raw_set(raw, key)
    rounds = bench.count(7, 3)
    if durability == "full":
        gets = _rates(rounds, bench.count(40_000, 10_000), data.get, lambda key: _raw_get(raw, key))
        bench.block.rows.append(_row("data.get", gets, _GET_AIM))
    sets = _rates(
        rounds,
        bench.count(2000, 500) if durability == "full" else bench.count(10_000, 3000),
        lambda key: data.set(key, _VALUE),
        lambda key: _raw_set(raw, key),
    )
    what = f"data.set, durability {durability}, each in a transaction of its own"
    bench.block.rows.append(_row(what, sets, _SET_AIM))
    inside = _rates(
        rounds,
        bench.count(10_000, 3000),
        lambda key: data.set(key, _VALUE),
        lambda key: _raw_set(raw, key),
        around=(data.transaction, lambda: _RawTransaction(raw)),
    )
    if durability == "full":
        bench.block.rows.append(_row("data.set, all in one transaction", inside, None))


def _row(what: str, rates: tuple[float, float], aim: Aim | None) -> Row:
    ours, raw = rates
    return Row(what, Figure("through the SDK", ours, "/s"), Figure("raw sqlite3", raw, "/s"), aim)


def _rates(
    rounds: int,
    count: int,
    ours: Callable[[str], Any],
    raw: Callable[[str], Any],
    around: tuple[Callable[[], Any], Callable[[], Any]] | None = None,
) -> tuple[float, float]:
    """Calls a second, medians of interleaved rounds."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for number, call in enumerate((ours, raw)):
            if around is None:
                found[number].append(_rate(count, call))
            else:
                with around[number]():
                    found[number].append(_rate(count, call))
    return statistics.median(found[0]), statistics.median(found[1])


def _rate(count: int, call: Callable[[str], Any]) -> float:
    keys = [_KEYS[number % len(_KEYS)] for number in range(count)]
    began = time.perf_counter()
    for key in keys:
        call(key)
    return count / (time.perf_counter() - began)


def _connect(file: Path, durability: Durability) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {durability.upper()}")
    connection.execute(
        "CREATE TABLE kv (kind TEXT, scope TEXT, key TEXT, value TEXT, "
        "PRIMARY KEY (kind, scope, key)) WITHOUT ROWID"
    )
    return connection


def _raw_get(connection: sqlite3.Connection, key: str) -> Any:
    (text,) = connection.execute(_SELECT, ("local", "", key)).fetchone()
    return json.loads(text)


def _raw_set(connection: sqlite3.Connection, key: str) -> None:
    connection.execute(_UPSERT, ("local", "", key, json.dumps(_VALUE)))


class _RawTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("COMMIT")
