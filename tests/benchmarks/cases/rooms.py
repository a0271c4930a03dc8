"""Open groups: idle polls, pages and posts, by how much lies in the room (contract, 17)."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import prepare
from tests.benchmarks.load import Load, generator, load_of, median_of, rate_figure
from tests.benchmarks.processes import ROOT, Child, cpu_seconds
from tests.benchmarks.results import Aim, Row

TITLE = "rooms: open groups with 1,000 and 200,000 messages, 1 and 100,000 people"

_SMALL, _LARGE, _PEOPLE = 1000, 200_000, 100_000
_QUICK = 20_000
_FLAT = Aim("ratio", ">=", 1 / 1.3)
_POSTS = Aim("ours", ">=", 1500, "requests/s")
_KEY = "05" + "ab" * 32
_DATA = "eHh4" * 60
_SIGNATURE = "A" * 86 + "=="
_CURVE_KEY = "054701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01"
_ROUNDS = 4
_RAW = """
    CREATE TABLE messages (
        id TEXT PRIMARY KEY, room_id TEXT, sender_id TEXT, timestamp INTEGER, server_id INTEGER,
        data TEXT, signature TEXT
    );
    CREATE UNIQUE INDEX numbers ON messages (room_id, server_id);
    CREATE UNIQUE INDEX living ON messages (room_id, server_id) WHERE data IS NOT NULL;
    CREATE INDEX times ON messages (room_id, timestamp, id);
    CREATE INDEX senders ON messages (room_id, sender_id, timestamp);
"""


def run(bench: Bench) -> None:
    large, people = bench.count(_LARGE, _QUICK), bench.count(_PEOPLE, _QUICK)
    data_dir = bench.data_dir()
    prepare(data_dir, [], {"rooms": {"rateLimitMessages": 0}})
    server, url = bench.serve(data_dir)
    _fill(data_dir, {"small": (_SMALL, 1), "large": (large, 1), "crowded": (large, people)})
    many = [f"room{number}" for number in range(50)]
    _fill(data_dir, dict.fromkeys(many, (1, 1)))
    _fill(data_dir, {"thinned": (large, 1)})
    _thin_out(data_dir, "thinned", large // 2)
    last = {"small": _SMALL, "large": large, "crowded": large}
    cases = {
        "room": _Asked("GET", "/rooms/small"),
        **{f"idle {room}": _poll([room], last[room], 0) for room in last},
        "no deletion cursor": _poll(["crowded"], large),
        "idle thinned": _poll(["thinned"], large, large // 2),
        "idle 50": _poll(many, 1, 0),
        **{f"no cursors {room}": _poll([room]) for room in last},
        **{f"page {room}": _Asked("GET", "/messages", room=room) for room in last},
        "page thinned": _Asked("GET", "/messages", room="thinned"),
        "members small": _Asked("GET", "/member_count", room="small"),
        "members crowded": _Asked("GET", "/member_count", room="crowded"),
        "twenty": _Asked("GET", "/messages?limit=20", room="small"),
        "challenge": replace(
            _Asked("GET", f"/auth_token_challenge?public_key={_CURVE_KEY}", room="small"),
            signed=False,
        ),
    }
    seconds = bench.seconds(1)
    found = {
        name: median_of(loads)
        for name, loads in bench.interleaved(
            _ROUNDS,
            {name: partial(_press, url, seconds, case, server) for name, case in cases.items()},
        ).items()
    }
    posts = _posts(bench, url, server, seconds, data_dir)
    _report(bench, found, posts, large, people)


def _posts(bench: Bench, url: str, server: Child, seconds: float, folder: Path) -> dict[str, Load]:
    """Last, for they make the rooms larger. Beside them, what the disk has to give."""
    body = json.dumps({"data": _DATA, "signature": _SIGNATURE, "timestamp": 1})
    small, large = (_Asked("POST", "/messages", body, room=room) for room in ("small", "large"))
    found = bench.interleaved(
        _ROUNDS,
        {
            "small": partial(_press, url, seconds, small, server),
            "large": partial(_press, url, seconds, large, server),
            "small 16": partial(_press, url, seconds, replace(small, connections=16), server),
            "raw": partial(_commits, folder / "raw.db", seconds),
        },
    )
    return {room: median_of(loads) for room, loads in found.items()}


def _commits(path: Path, seconds: float) -> Load:
    """One message after the other into a table with the indexes of ours, each committed for
    itself, with sqlite3 alone."""
    path.unlink(missing_ok=True)
    times: list[float] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        file.executescript(_RAW)
        began, spent = time.perf_counter(), time.process_time()
        while (elapsed := time.perf_counter() - began) < seconds:
            number = len(times) + 1
            file.execute(
                "INSERT INTO messages VALUES (?, 'raw', ?, ?, ?, ?, ?)",
                (f"raw-{number}", _KEY, number, number, _DATA, _SIGNATURE),
            )
            times.append((time.perf_counter() - began - elapsed) * 1000)
    return Load(
        rate=len(times) / elapsed,
        bytes_rate=0.0,
        p50=median(times),
        p99=quantiles(times, n=100)[98],
        worst=max(times),
        requests=len(times),
        failed=0,
        seconds=elapsed,
        cpu=time.process_time() - spent,
    )


def _report(
    bench: Bench, found: Mapping[str, Load], posts: Mapping[str, Load], large: int, people: int
) -> None:
    figures = {name: rate_figure(name, load) for name, load in {**found, **posts}.items()}

    def row(what: str, ours: str, peer: str, aim: Aim | None = None) -> Row:
        return Row(what, figures[ours], figures[peer], aim)

    idle = figures["idle small"]
    bench.block.rows += [
        Row("idle poll, 1,000 messages", idle, aim=Aim("ours", ">=", 3000, "requests/s")),
        row("idle poll against a look at the room", "idle small", "room", Aim("ratio", ">=", 0.45)),
        row(f"idle poll, {large:,} messages", "idle large", "idle small", _FLAT),
        row(f"idle poll, {people:,} people too", "idle crowded", "idle small", _FLAT),
        row("the same without a deletion cursor", "no deletion cursor", "idle crowded", _FLAT),
        row(f"idle poll, {large // 2:,} deleted", "idle thinned", "idle small", _FLAT),
        row("idle poll of 50 rooms", "idle 50", "idle small", Aim("ratio", ">=", 1 / 8)),
        row(f"poll without cursors, {large:,}", "no cursors large", "no cursors small", _FLAT),
        row(f"the same, {people:,} people too", "no cursors crowded", "no cursors small", _FLAT),
        row("poll without cursors against a look", "no cursors small", "room", _ratio(0.08)),
        row(f"page of 256, {large:,} messages", "page large", "page small", _FLAT),
        row(f"page of 256, {people:,} people too", "page crowded", "page small", _FLAT),
        row(f"page of 256, {large // 2:,} deleted", "page thinned", "page small", _FLAT),
        row(f"member_count, {people:,} people", "members crowded", "members small", _FLAT),
        row("page of 256 against a look at the room", "page small", "room", _ratio(0.1)),
        row("page of 20 against a look at the room", "twenty", "room", _ratio(0.5)),
        row("challenge against a look at the room", "challenge", "room", _ratio(0.35)),
        row("post, durable, against raw sqlite3, a commit each", "small", "raw", _POSTS),
        row("the same, 16 connections", "small 16", "raw", _POSTS),
        row("post against a look at the room", "small", "room", _ratio(0.25)),
        row(f"post behind {large:,} of the same author", "large", "small", _FLAT),
    ]
    failed = sum(load.failed for load in (*found.values(), *posts.values()))
    bench.block.notes.append(
        f"4 connections, {failed} failed requests; messages of 180 bytes; a post is in the"
        " database, with its events, when it is answered. Posts that wait share a commit: raw"
        " sqlite3 with one for each message shows what the disk gives."
    )


def _ratio(limit: float) -> Aim:
    return Aim("ratio", ">=", limit)


@dataclass(frozen=True)
class _Asked:
    method: str
    path: str
    body: str = ""
    room: str | None = None
    signed: bool = True
    connections: int = 4

    @property
    def headers(self) -> dict[str, str]:
        if self.room is None:
            return {}
        token = {"Authorization": _token(self.room)} if self.signed else {}
        return {"Room": self.room, **token}


def _token(room: str) -> str:
    return hashlib.sha512(room.encode()).hexdigest()[:96]


def _poll(rooms: list[str], messages: int | None = None, deletions: int | None = None) -> _Asked:
    """A poll with these cursors; with none of them for None."""
    cursors = {"from_message_server_id": messages, "from_deletion_server_id": deletions}
    sent = {name: value for name, value in cursors.items() if value is not None}
    entries = [{"room_id": room, "auth_token": _token(room), **sent} for room in rooms]
    return _Asked("POST", "/compact_poll", json.dumps({"requests": entries}))


# Load


def _press(url: str, seconds: float, asked: _Asked, server: Child) -> Load:
    tool = _press_with_wrk if generator() == "wrk" else _press_with_python
    before = cpu_seconds(server.pid)
    load = tool(url, seconds, asked)
    return replace(load, cpu=cpu_seconds(server.pid) - before)


def _press_with_wrk(url: str, seconds: float, asked: _Asked) -> Load:
    command = [
        "wrk",
        "-t1",
        f"-c{asked.connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "30s",
    ]
    command += ["-s", "tests/benchmarks/wrk_request.lua"]
    for name, value in asked.headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [url + asked.path, "--", asked.method, asked.body]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=True
    )
    return load_of(done.stdout.strip().splitlines()[-1])


def _press_with_python(url: str, seconds: float, asked: _Asked) -> Load:
    """One connection, for want of wrk."""
    latencies: list[float] = []
    failed = size = 0
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            connection.request(asked.method, asked.path, asked.body or None, asked.headers)
            answer = connection.getresponse()
            size += len(answer.read())
            failed += answer.status != 200
            latencies.append((time.perf_counter() - began - elapsed) * 1000)
    return Load(
        rate=len(latencies) / elapsed,
        bytes_rate=size / elapsed,
        p50=median(latencies),
        p99=quantiles(latencies, n=100)[98],
        worst=max(latencies),
        requests=len(latencies),
        failed=failed,
        seconds=elapsed,
    )


# What lies in the rooms: written beside the server, for to post so many takes minutes


def _fill(data_dir: Path, rooms: Mapping[str, tuple[int, int]]) -> None:
    """Rooms with so many messages by one person, and so many people with tokens."""
    with closing(sqlite3.connect(data_dir / "plugins" / "rooms" / "plugin.db")) as file, file:
        now = int(time.time() * 1000)
        for room, (messages, people) in rooms.items():
            doc = json.dumps({"id": room, "name": room, "openGroup": True})
            file.execute("INSERT INTO rooms (id, name, doc) VALUES (?, ?, ?)", (room, room, doc))
            file.execute(
                "INSERT INTO open_groups (id, folded, name, last_server_id, last_timestamp)"
                " VALUES (?, ?, ?, ?, ?)",
                (room, room, room, messages, now - 1),
            )
            file.executemany(
                "INSERT INTO messages (id, room_id, sender_id, timestamp, server_id, data,"
                " signature) VALUES (?, ?, ?, ?, ?, ?, ?)",
                _messages(room, messages, now),
            )
            for table, columns, rows in _people(room, people, now):
                marks = ", ".join("?" * (columns.count(",") + 1))
                file.executemany(
                    f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})",
                    rows,
                )


def _thin_out(data_dir: Path, room: str, kept: int) -> None:
    """Deletes all messages of a room but the oldest, as the server would."""
    with closing(sqlite3.connect(data_dir / "plugins" / "rooms" / "plugin.db")) as file, file:
        file.execute(
            "INSERT INTO deletions (room_id, id, server_id) SELECT room_id, server_id - ?2,"
            " server_id FROM messages WHERE room_id = ?1 AND server_id > ?2",
            (room, kept),
        )
        file.execute(
            "UPDATE messages SET is_deleted = 1, data = NULL, signature = NULL"
            " WHERE room_id = ? AND server_id > ?",
            (room, kept),
        )
        file.execute(
            "UPDATE open_groups SET last_deletion_id = last_server_id - ?2 WHERE id = ?1",
            (room, kept),
        )


def _messages(room: str, count: int, now: int) -> Iterator[tuple[Any, ...]]:
    for number in range(1, count + 1):
        at = now - 3_600_000 - count + number
        yield f"{room}-{number}", room, _KEY, at, number, _DATA, _SIGNATURE


def _people(room: str, count: int, now: int) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    """Rows by table; the first person is the one who asks."""
    keys = [_KEY, *(f"05{number:064x}" for number in range(1, count))]
    tokens = [_token(room), *(f"{room}{number}" for number in range(1, count))]
    digests = [hashlib.sha256(token.encode()).hexdigest() for token in tokens]
    yield "users", "id, oder_id, display_name, doc", [(key, key, key, "{}") for key in keys]
    yield (
        "members",
        "room_id, user_id, role, joined_at",
        [(room, key, "member", now) for key in keys],
    )
    yield (
        "tokens",
        "digest, room_id, key, claimed_at",
        [(digest, room, key, now) for digest, key in zip(digests, keys, strict=True)],
    )
