"""The health route while one plugin blocks every call that it may have."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.client import Asker
from tests.benchmarks.load import Load, Probe, median_of, press
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "the health route while one plugin blocks every call it may have"

_HEALTH = "/api/health"
_HANGING = 40
_PATIENCE_SECONDS = 20.0
_AIM = Aim("ours", "<=", 50, "ms")


def run(bench: Bench) -> None:
    _, idle = bench.serve(bench.data_dir(bench=True))
    child, blocked = bench.serve(bench.data_dir(bench=True))
    refused = _block(blocked + "/api/plugins/bench/hang")
    seconds = bench.seconds(2)
    urls = {"idle": idle, "blocked": blocked}
    probes = {name: partial(_probe, url, seconds) for name, url in urls.items()}
    probed = bench.interleaved(4, probes)
    pressed = bench.interleaved(
        4,
        {name: partial(press, url + _HEALTH, seconds) for name, url in urls.items()},
    )
    child.process.kill()  # it would wait for the calls that hang
    bench.block.rows += [
        _row("200 requests a second on a fixed schedule", probed),
        _row("as many as 4 connections can ask for", pressed),
    ]
    bench.block.notes.append(
        f"{_HANGING} clients asked for a route that hangs: {refused} were refused with 503, the "
        "others hold a thread each."
    )


def _block(url: str) -> int:
    """Has as many clients ask for it as are needed; returns how many were refused by the time
    that nothing more happens. Those beyond the plugin's calls wait for some seconds first."""
    statuses: Counter[int] = Counter()

    def ask() -> None:
        asker = Asker(url)
        statuses[asker.ask()[0]] += 1
        asker.close()

    for _ in range(_HANGING):
        threading.Thread(target=ask, daemon=True).start()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    before = -1
    while time.monotonic() < deadline and not 0 < statuses[503] == before:
        before = statuses[503]
        time.sleep(1.0)
    return statuses[503]


def _probe(url: str, seconds: float) -> Load:
    probe = Probe(url + _HEALTH)
    time.sleep(seconds)
    return probe.end()


def _row(what: str, found: dict[str, list[Load]]) -> Row:
    return Row(what, _figure("blocked", found["blocked"]), _figure("idle", found["idle"]), _AIM)


def _figure(label: str, loads: list[Load]) -> Figure:
    load = median_of(loads)
    more = f"p50 {load.p50:.2f} ms, worst {load.worst:.0f} ms, {load.failed} failed"
    return Figure(f"{label}, p99", load.p99, "ms", more)
