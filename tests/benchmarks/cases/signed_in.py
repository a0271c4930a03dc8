"""What it costs to know who asks: a signed-in request beside 10,000 sessions."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import urllib.request
import uuid
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.load import median_of, press, rate_figure
from tests.benchmarks.results import Aim, Row

TITLE = "a signed-in request against the same route open, at 10,000 sessions"

_SESSIONS = 10_000
_DAY_MS = 24 * 3600 * 1000
_ROUTES = "/api/plugins/bench"


def run(bench: Bench) -> None:
    data_dir = bench.data_dir(bench=True)
    server, url = bench.serve(data_dir)
    token = _sign_in(url)
    _crowd(data_dir)
    headers = {"Authorization": f"Bearer {token}"}
    seconds = bench.seconds(2)
    loads = bench.interleaved(
        5,
        {
            path: partial(press, f"{url}{_ROUTES}/{path}", seconds, headers=headers, server=server)
            for path in ("hello", "signed-in", "permitted")
        },
    )
    opened = median_of(loads["hello"])
    for path, text in (
        ("signed-in", "any live token"),
        ("permitted", "a permission of the host's own"),
    ):
        bench.block.rows.append(
            Row(
                f"a route that wants {text}",
                rate_figure("wanted", median_of(loads[path])),
                rate_figure("open, the same token sent", opened),
                Aim("ratio", ">=", 1 / 1.15),
            )
        )


def _sign_in(url: str) -> str:
    person = {"name": "Bench", "pin": "1234", "recoveryPhrase": "a bench in the park"}
    _post(url + "/api/setup/init", person)
    answer = _post(url + "/api/auth/login", {"profileName": "Bench", "pin": "1234"})
    return str(answer["token"])


def _post(url: str, body: dict[str, str]) -> dict[str, object]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, object] = json.load(reply)
        return answer


def _crowd(data_dir: Path) -> None:
    """Other people's sessions, written beside the server: to sign in so often takes minutes."""
    file = data_dir / "plugins" / "accounts" / "plugin.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        (now,) = connection.execute("SELECT max(created_at) FROM sessions").fetchone()
        connection.executemany(
            "INSERT INTO sessions (token_hash, profile_id, created_at, expires_at)"
            " VALUES (?, 1, ?, ?)",
            [
                (hashlib.sha256(str(uuid.uuid4()).encode()).hexdigest(), now, now + _DAY_MS)
                for _ in range(_SESSIONS)
            ],
        )
