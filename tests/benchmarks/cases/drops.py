"""Rounds over drop boxes in which nothing is new, and what idle polling costs."""

from __future__ import annotations

import http.client
import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import prepare
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "drops: rounds without news over boxes of one drop server"

_FEW, _MANY, _POLLED = 5, 50, 10
_FULL = 100_000


def run(bench: Bench) -> None:
    store = bench.data_dir()
    _enable_drop_server(store)
    server, url = bench.serve(store)
    clients = {count: _Client(bench, url, count) for count in (_FEW, _MANY, _POLLED)}
    _rounds(bench, clients)
    _full_box(bench, store, url)
    _polling(bench, clients[_POLLED], server.pid)


class _Client:
    """A host with an identity that reads so many boxes."""

    def __init__(self, bench: Bench, server: str, boxes: int) -> None:
        self.process, address = bench.serve(bench.data_dir())
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        drops = [f"{server}/drops/{secrets.token_urlsafe(32)}" for _ in range(boxes)]
        keys = {"private_key": secrets.token_hex(32)}
        identity = {"alias": "me", "keys": keys, "drops": drops}
        self.ask("PUT", "/settings", {"key": "poll_interval", "value": 0})
        self.ask("POST", "/synced", {"identities": [identity]})

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> float:
        """Milliseconds."""
        headers = {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        began = time.perf_counter()
        self._connection.request(method, path, content, headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status not in (200, 204) or "X-Qabel-Drop-Errors" in answer.headers:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return (time.perf_counter() - began) * 1000


def _rounds(bench: Bench, clients: Mapping[int, _Client]) -> None:
    found: dict[int, list[float]] = {_FEW: [], _MANY: []}
    for number in range(bench.count(55, 15)):
        for boxes, times in found.items():
            spent = clients[boxes].ask("HEAD", "/drop")
            if number >= 5:  # connections are open by now
                times.append(spent)
    few, many = (
        Figure(f"{boxes} boxes", median(times), "ms", f"best {min(times):.1f} ms")
        for boxes, times in found.items()
    )
    row = Row("HEAD /drop, all boxes quiet", many, few, Aim("ratio", "<=", 8))
    bench.block.rows.append(row)


def _full_box(bench: Bench, store: Path, url: str) -> None:
    """A conditional GET that finds nothing new, by how much lies in the box."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    latest: dict[str, str] = {}
    for count in (10, _FULL):
        box = secrets.token_urlsafe(32)
        _fill(store, box, count)
        connection.request("HEAD", f"/drops/{box}")
        answer = connection.getresponse()
        answer.read()
        latest[box] = answer.headers["X-Qabel-Latest"]
    times: dict[str, list[float]] = {box: [] for box in latest}
    for _ in range(50):
        for box, cursor in latest.items():
            began = time.perf_counter()
            connection.request("GET", f"/drops/{box}", headers={"X-Qabel-New-Since": cursor})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 304:
                raise RuntimeError(f"a quiet box answered {answer.status}")
            times[box].append((time.perf_counter() - began) * 1000)
    connection.close()
    small, large = (median(each) for each in times.values())
    bench.block.rows.append(
        Row(
            "GET of a box, nothing new",
            Figure(f"{_FULL:,} messages in it", large, "ms"),
            Figure("10 messages in it", small, "ms"),
            Aim("ratio", "<=", 1.5),
        )
    )


def _polling(bench: Bench, client: _Client, server: int) -> None:
    client.ask("PUT", "/settings", {"key": "poll_interval", "value": 1000})
    time.sleep(2)
    pids = (client.process.pid, server)
    before = [cpu_seconds(pid) for pid in pids]
    began = time.perf_counter()
    time.sleep(bench.seconds(15))
    seconds = time.perf_counter() - began
    own, other = (
        (cpu_seconds(pid) - had) * 100 / seconds for pid, had in zip(pids, before, strict=True)
    )
    bench.block.rows.append(
        Row(
            f"the background, {_POLLED} boxes every second",
            Figure("of one core", own, "%", f"the drop server: {other:.1f} %"),
            aim=Aim("ours", "<=", 5, "%"),
        )
    )


def _enable_drop_server(data_dir: Path) -> None:
    settings = {"drop_server": {"maxMessagesPerBox": 2 * _FULL, "retentionDays": 0}}
    prepare(data_dir, ["drop_server"], settings)


def _fill(store: Path, box: str, count: int) -> None:
    """Written beside the server: to post so many takes minutes."""
    with closing(sqlite3.connect(store / "plugins" / "drop_server" / "plugin.db")) as file, file:
        (last,) = file.execute("SELECT posted_us FROM last_posted").fetchone()
        file.executemany(
            "INSERT INTO drop_message (box, no, posted_us, body) VALUES (?, ?, ?, ?)",
            ((box, number, last + number, b"x" * 100) for number in range(1, count + 1)),
        )
        file.execute("UPDATE last_posted SET posted_us = ?", (last + count,))
