"""A plugin's route against the same handler without a host."""

from __future__ import annotations

from functools import partial

from host.testing import TestHost
from tests.benchmarks.bench import THREADS, Bench
from tests.benchmarks.calls import best_call
from tests.benchmarks.installation import BENCH_PLUGIN
from tests.benchmarks.load import median_of, press, rate_figure
from tests.benchmarks.peers.bare_falcon import make_app
from tests.benchmarks.processes import wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "a plugin's route that returns a small dict"

_PATH = "/api/plugins/bench/hello"
_AIM = Aim("ratio", ">=", 0.8)


def run(bench: Bench) -> None:
    threads = str(THREADS)
    data_dir = bench.data_dir(bench=True)
    servers = {
        "host": bench.serve(data_dir, "--threads", threads),
        "stock": bench.peer("bare_falcon", "waitress", threads),
        "server": bench.peer("bare_falcon", "ours", threads),
    }
    for _, url in servers.values():
        wait_until_ready(url + _PATH)
    seconds = bench.seconds(2)
    found = bench.interleaved(
        8,
        {
            name: partial(press, url + _PATH, seconds, server=child)
            for name, (child, url) in servers.items()
        },
    )
    host, stock, server = (median_of(found[name]) for name in ("host", "stock", "server"))
    ours = rate_figure("Stagebox, a plugin's route", host)
    bench.block.rows += [
        Row(
            "with everything that a host does, against stock waitress",
            ours,
            rate_figure("bare Falcon on stock waitress", stock),
            _AIM,
        ),
        Row(
            "the same, against our own server class",
            ours,
            rate_figure("bare Falcon on our server class", server),
            _AIM,
        ),
        Row(
            "the server classes alone",
            rate_figure("bare Falcon on our server class", server),
            rate_figure("bare Falcon on stock waitress", stock),
        ),
    ]
    bench.block.rows.append(_calls(bench))
    bench.block.notes.append(
        f"On our server class the host adds {host.cpu_each - server.cpu_each:.0f} µs of processor "
        f"time to a request. 4 connections, {threads} threads, "
        f"{sum(load.failed for load in (host, stock, server))} failed requests."
    )


def _calls(bench: Bench) -> Row:
    rounds = bench.count(60, 20)
    config = {"log_level": "info"}  # as `serve` has it: no access log
    with TestHost(bench.folder / "calls", plugins=[BENCH_PLUGIN], config=config) as host:
        ours = best_call(host.host.web.gateway, _PATH, rounds)
    bare = best_call(make_app(), _PATH, rounds)
    return Row(
        "the call of the WSGI application alone, quickest round",
        Figure("Stagebox", ours, "µs"),
        Figure("bare Falcon", bare, "µs"),
    )
