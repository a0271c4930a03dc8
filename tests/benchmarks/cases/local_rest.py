"""The local read face: imports, pages and look-ups in a small room and in a large one."""

from __future__ import annotations

import http.client
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.benchmarks.bench import Bench
from tests.benchmarks.processes import ROOT
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "local REST: a room of 1,000 messages against a room of 200,000"

_SMALL = 1000
_WARM = 5
_BEGIN = 1_777_473_600_000
_KEYS = """
    SELECT id FROM messages WHERE room_id = :room ORDER BY timestamp, id LIMIT 100 OFFSET :offset
"""
_FLAT = Aim("ratio", "<=", 1.5)
_OWNER = {"name": "Ada", "pin": "2718", "recoveryPhrase": "a phrase of some length"}


def run(bench: Bench) -> None:
    large = bench.count(200_000, 20_000)
    store = bench.data_dir()
    _import(bench, store, "small", _SMALL)
    spent, busy = _import(bench, store, "large", large)
    more = f"start of the command included; {large / spent:,.0f} /s by the clock"
    rate = Figure("messages a second of one core", large / busy, "/s", more)
    bench.block.rows.append(Row("import", rate, None, Aim("ours", ">=", 10_000, "/s")))
    _, url = bench.serve(store)
    reader = _Reader(url)
    for what, path in (
        ("messages?limit=100", "/api/rooms/{room}/messages?limit=100"),
        ("messages?limit=100&order=desc", "/api/rooms/{room}/messages?limit=100&order=desc"),
        ("messages/since with 10 results", "/api/rooms/{room}/messages/since?sinceTimestamp={ten}"),
        ("messages/{id}", "/api/messages/{room}-m500"),
        ("bans/{userId}", "/api/rooms/{room}/bans/somebody"),
    ):
        figures = [
            Figure(f"{count:,}", reader.ask(path, room, count), "ms")
            for room, count in (("large", large), ("small", _SMALL))
        ]
        bench.block.rows.append(Row(what, figures[0], figures[1], _FLAT))
    deep = "/api/rooms/{room}/messages?limit=100&offset=" + str(large * 3 // 4)
    figures = [
        Figure(label, reader.ask(path, "large", large), "ms")
        for label, path in (
            (f"offset {large * 3 // 4:,}", deep),
            ("offset 0", "/api/rooms/{room}/messages?limit=100"),
        )
    ]
    limit = 20 * figures[1].value + 10
    bench.block.rows.append(Row("a page far in", *figures, Aim("ours", "<=", limit, "ms")))
    walk = Figure("the walk in SQLite itself", _walk(store, large * 3 // 4), "ms")
    bench.block.rows.append(Row("the same", figures[0], walk, Aim("ratio", "<=", 1.5)))
    half, whole = (
        Figure(f"{count:,}", reader.ask(_since(large - count), "large", large, 5), "ms")
        for count in (large // 4, large // 2)
    )
    row = Row("messages/since, twice as many", whole, half, Aim("ratio", "<=", 2.5))
    bench.block.rows.append(row)


def _walk(store: Path, offset: int) -> float:
    """Milliseconds, the median, that SQLite takes for the keys of a page alone."""
    spent = []
    with closing(sqlite3.connect(store / "plugins" / "rooms" / "plugin.db")) as file:
        for _ in range(25):
            began = time.perf_counter()
            file.execute(_KEYS, {"room": "large", "offset": offset}).fetchall()
            spent.append((time.perf_counter() - began) * 1000)
    return median(spent)


def _since(passed: int) -> str:
    return "/api/rooms/{room}/messages/since?sinceTimestamp=" + str(_BEGIN + passed - 1)


def _import(bench: Bench, store: Path, room: str, count: int) -> tuple[float, float]:
    """Seconds of ``stagebox rooms import`` in a process of its own, and of its processor time."""
    file = bench.folder / f"{room}.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for number in range(count):
            doc = {
                "id": f"{room}-m{number}",
                "roomId": room,
                "senderId": "user-alice-01",
                "content": "something that somebody said to others",
                "timestamp": _BEGIN + number,
            }
            lines.write(json.dumps({"kind": "message", "doc": doc}) + "\n")
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "host", "rooms", "import", str(file)],
        env={**os.environ, "STAGEBOX_DATA_DIR": str(store)},
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, busy


class _Reader:
    """Somebody who is signed in, on one connection."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Content-Type": "application/json"}
        self._send("POST", "/api/setup/init", _OWNER)
        login = {"profileName": _OWNER["name"], "pin": _OWNER["pin"]}
        token = json.loads(self._send("POST", "/api/auth/login", login))["token"]
        self._headers["Authorization"] = f"Bearer {token}"

    def ask(self, path: str, room: str, count: int, times: int = 50) -> float:
        """Milliseconds, the median."""
        address = path.format(room=room, ten=_BEGIN + count - 11)
        spent = []
        for _ in range(_WARM + times):
            began = time.perf_counter()
            self._send("GET", address)
            spent.append((time.perf_counter() - began) * 1000)
        return median(spent[_WARM:])

    def _send(self, method: str, path: str, body: object = None) -> bytes:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        received = answer.read()
        if answer.status not in (200, 201, 204):
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return received
