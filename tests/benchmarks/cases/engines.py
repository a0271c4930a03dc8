"""The same routes on PostgreSQL and on SQLite, on two hosts and on one, with granian and waitress,
and beside Fastify with better-sqlite3."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.load import Load, median_of, press, rate_figure
from tests.benchmarks.processes import Child, free_port, wait_until_ready
from tests.benchmarks.results import Aim, Row
from tests.benchmarks.rows import write_rows
from tests.postgresql import PostgresqlServer

TITLE = "PostgreSQL against SQLite, two hosts against one, granian against waitress and Fastify"

_ROWS = 10_000
_OURS = "/api/plugins/bench"
_ROUTES = {"one row of 10,000": f"{_OURS}/rows/4711", "a list of 50 rows": f"{_OURS}/rows",
           "a route without a database": f"{_OURS}/hello"}  # fmt: skip
_SETTINGS = {"bench": {"rows": _ROWS}}
_FASTIFY = ("fastify@5", "better-sqlite3@12")


def run(bench: Bench) -> None:
    folder = Path(tempfile.mkdtemp(prefix="stagebox-postgresql-"))  # where nobody may enter
    server = PostgresqlServer.started(folder, durable=True)
    try:
        _engines(bench, server)
        _hosts(bench, server)
    finally:
        server.remove()
    _servers(bench)


def _engines(bench: Bench, server: PostgresqlServer) -> None:
    server.sql("CREATE DATABASE one")
    url = server.url("one")
    files, on_files = bench.serve(bench.data_dir(bench=True, settings=_SETTINGS))
    data_dir = bench.data_dir(bench=True, settings=_SETTINGS, database=url)
    served, on_server = bench.serve(data_dir, "--database", url)
    for base in (on_files, on_server):
        wait_until_ready(base + _ROUTES["one row of 10,000"])
    seconds = bench.seconds(3)
    measures: dict[str, Callable[[], Load]] = {}
    for what, path in _ROUTES.items():
        measures[f"{what} postgresql"] = partial(press, on_server + path, seconds, server=served)
        measures[f"{what} sqlite"] = partial(press, on_files + path, seconds, server=files)
    found = bench.interleaved(3, measures)
    for what in _ROUTES:
        mine, other = (median_of(found[f"{what} {name}"]) for name in ("postgresql", "sqlite"))
        row = Row(what, rate_figure("PostgreSQL", mine), rate_figure("SQLite", other))
        bench.block.rows.append(row)
    files.end()
    served.end()


def _hosts(bench: Bench, server: PostgresqlServer) -> None:
    """Load on both at once, against load on one of them."""
    server.sql("CREATE DATABASE two")
    url = server.url("two")
    bases = []
    children = []
    for _ in range(2):
        data_dir = bench.data_dir(bench=True, settings=_SETTINGS, database=url)
        child, base = bench.serve(data_dir, "--database", url)
        wait_until_ready(base + _ROUTES["one row of 10,000"])
        children.append(child)
        bases.append(base)
    path = _ROUTES["one row of 10,000"]
    seconds = bench.seconds(3)
    measures = {
        "two": partial(_press_all, [base + path for base in bases], seconds),
        "one": partial(press, bases[0] + path, seconds, connections=8),
    }
    found = bench.interleaved(3, measures)
    two, one = (median_of(found[name]) for name in ("two", "one"))
    bench.block.rows.append(
        Row("one row, on two hosts", rate_figure("two hosts", two), rate_figure("one host", one))
    )
    for child in children:
        child.end()


def _press_all(urls: list[str], seconds: float) -> Load:
    """The sum of what several answer at the same time."""
    loads: list[Load] = []
    threads = [
        threading.Thread(target=lambda url=url: loads.append(press(url, seconds))) for url in urls
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = median_of(loads)
    return replace(
        both,
        rate=sum(load.rate for load in loads),
        bytes_rate=sum(load.bytes_rate for load in loads),
    )


def _servers(bench: Bench) -> None:
    threads, on_threads = bench.serve(bench.data_dir(bench=True, settings=_SETTINGS))
    options = ("--server", "granian", "--workers", "2")
    workers, on_workers = bench.serve(bench.data_dir(bench=True, settings=_SETTINGS), *options)
    peers = {"waitress": (on_threads, _ROUTES), "granian": (on_workers, _ROUTES)}
    fastify = _fastify(bench)
    if fastify is not None:
        paths = zip(_ROUTES, ("/rows/4711", "/rows", "/hello"), strict=True)
        peers["Fastify"] = (fastify, dict(paths))
    for base, paths_of in peers.values():
        for path in paths_of.values():
            wait_until_ready(base + path)
    seconds = bench.seconds(3)
    measures = {
        f"{what} {name}": partial(press, base + paths_of[what], seconds, connections=8)
        for what in _ROUTES
        for name, (base, paths_of) in peers.items()
    }
    found = bench.interleaved(3, measures)
    for what in _ROUTES:
        loads = {name: median_of(found[f"{what} {name}"]) for name in peers}
        mine = rate_figure("granian × 2", loads["granian"])
        against = rate_figure("waitress", loads["waitress"])
        bench.block.rows.append(Row(f"{what}, SQLite", mine, against))
        if "Fastify" in loads:
            other = rate_figure("Fastify and better-sqlite3, one process", loads["Fastify"])
            aim = Aim("ratio", ">=", 1.0) if "/rows" in _ROUTES[what] else None
            bench.block.rows.append(Row(f"{what}, SQLite", mine, other, aim))
    threads.end()
    workers.end()


def _fastify(bench: Bench) -> str | None:
    """Its address; None, with a note, where it cannot be installed."""
    folder = bench.tools / "fastify"
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        bench.block.notes.append("Without Node there is no Fastify to compare with.")
        return None
    compiled = folder / "node_modules/better-sqlite3/build/Release/better_sqlite3.node"
    if not compiled.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", *_FASTIFY],
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["npm failed"])[-1]
            bench.block.notes.append(f"Fastify cannot be installed here: {last}")
            return None
    port = free_port()
    script = Path(__file__).parents[1] / "peers" / "fastify_server.cjs"
    database = write_rows(bench.folder / "fastify.db", _ROWS)
    environment = {"NODE_PATH": str(folder / "node_modules"), "NODE_ENV": "production"}
    bench.child(Child([node, script, database, str(port)], env=environment))
    bench.block.notes.append(
        "Fastify as npm installs it, without logging, with prepared statements and no schema."
    )
    return f"http://127.0.0.1:{port}"
