"""Switching and upgrading one plugin of many, while others are asked."""

from __future__ import annotations

import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from host.app import Host
from host.config import load_config
from host.testing import TestHost
from tests.benchmarks.bench import Bench
from tests.benchmarks.installation import small_plugin
from tests.benchmarks.load import Load, Probe, median_of, press
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "plugins switched and upgraded under load, 100 loaded"

_PLUGINS = 100
_STEADY = "/api/plugins/small000/hello"
_SWITCHED = "small050"
_UPGRADED = "small051"
_UPGRADED_PATH = f"/api/plugins/{_UPGRADED}/hello"
_NO_FAILURE = Aim("ours", "<=", 0)
_QUICK_ENOUGH = Aim("ours", "<=", 50, "ms")
_PAUSE = 0.05
_UPGRADE_SECONDS = 60


@dataclass
class Watched:
    """What was seen while something went on. ``wrk`` counts what a closed loop sees, the probes
    also see how long a stall lasted."""

    pressed: list[Load] = field(default_factory=list)
    steady: Load | None = None
    upgraded: Load | None = None
    took: dict[str, list[float]] = field(default_factory=dict)


def run(bench: Bench) -> None:
    share = _share_of_the_host(bench)
    data_dir = bench.data_dir(small=_PLUGINS)
    _, url = bench.serve(data_dir)
    switches, upgrades = bench.count(50, 10), bench.count(10, 3)
    quiet = _watch(url, lambda: _wait(bench.seconds(12)))
    busy = _watch(url, lambda: _switch(bench, url, data_dir, switches, upgrades))
    assert busy.steady is not None
    assert quiet.steady is not None
    assert busy.upgraded is not None
    failed = sum(load.failed for load in [*busy.pressed, busy.steady])
    asked = sum(load.requests for load in [*busy.pressed, busy.steady])
    bench.block.rows += [
        Row(
            "failed requests to another plugin",
            Figure("while switching", failed, "", f"of {asked:,}"),
            aim=_NO_FAILURE,
        ),
        Row(
            "failed requests to the plugin that is upgraded",
            Figure("while upgrading", busy.upgraded.failed, "", f"of {busy.upgraded.requests:,}"),
            aim=_NO_FAILURE,
        ),
        Row(
            "another plugin, 200 requests a second on a fixed schedule beside the load",
            _latency("p99 while switching", busy.steady),
            _latency("p99 without", quiet.steady),
            _QUICK_ENOUGH,
        ),
        Row(
            "another plugin, as many as 4 connections can ask for",
            _latency("p99 while switching", median_of(busy.pressed)),
            _latency("p99 without", median_of(quiet.pressed)),
            _QUICK_ENOUGH,
        ),
        Row(
            "requests a second meanwhile",
            Figure("while switching", median_of(busy.pressed).rate, "requests/s"),
            Figure("without", median_of(quiet.pressed).rate, "requests/s"),
        ),
        *[
            Row(f"the host's share of one {what}, without load", Figure("", value, "ms"))
            for what, value in share.items()
        ],
    ]
    times = ", ".join(
        f"{what} {statistics.median(values):.0f} ms (worst {max(values):.0f})"
        for what, values in busy.took.items()
    )
    bench.block.notes.append(
        f"{switches} times off and on over HTTP, {upgrades} upgrades as the command line leaves "
        f"them to a server. Under load, as seen from outside: {times}; an upgrade is noticed "
        "within 250 ms."
    )


def _latency(label: str, load: Load) -> Figure:
    more = f"p50 {load.p50:.2f} ms, worst {load.worst:.0f} ms"
    return Figure(label, load.p99, "ms", more)


def _wait(seconds: float) -> dict[str, list[float]]:
    time.sleep(seconds)
    return {}


def _watch(url: str, work: Callable[[], dict[str, list[float]]]) -> Watched:
    """Loads the host while ``work`` runs."""
    watched = Watched()
    done = threading.Event()

    def keep_pressing() -> None:
        while not done.is_set():
            watched.pressed.append(press(url + _STEADY, 2))

    press(url + _STEADY, 1)
    loader = threading.Thread(target=keep_pressing, name="load")
    loader.start()
    steady, upgraded = Probe(url + _STEADY), Probe(url + _UPGRADED_PATH, rate=50)
    try:
        watched.took = work()
    finally:
        done.set()
        watched.steady, watched.upgraded = steady.end(), upgraded.end()
        loader.join()
    return watched


def _switch(
    bench: Bench, url: str, data_dir: Path, switches: int, upgrades: int
) -> dict[str, list[float]]:
    """Milliseconds by kind of change, as seen from outside."""
    took: dict[str, list[float]] = {"off": [], "on": [], "upgrade": []}
    manager = Host(load_config({"data_dir": str(data_dir)}, {}), env={}, log_file=False)
    try:
        manager.open()
        upgrade_at = {round((number + 0.5) * switches / upgrades) for number in range(upgrades)}
        version = 1
        for number in range(switches):
            for what, verb in (("off", "disable"), ("on", "enable")):
                began = time.perf_counter()
                _post(f"{url}/api/plugins/{_SWITCHED}/{verb}")
                took[what].append((time.perf_counter() - began) * 1000)
                time.sleep(_PAUSE)
            if number in upgrade_at:
                version += 1
                source = small_plugin(bench.folder / f"v{version}" / _UPGRADED, f"1.{version}.0")
                began = time.perf_counter()
                _upgrade(manager, source)
                took["upgrade"].append((time.perf_counter() - began) * 1000)
    finally:
        manager.stop()
    return took


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:
        json.loads(answer.read())


def _upgrade(manager: Host, source: Path) -> None:
    """As ``stagebox plugin install`` beside a server. Raises RuntimeError when it failed."""
    answer = manager.installer.leave(source, accept_additions=True)
    deadline = time.monotonic() + _UPGRADE_SECONDS
    while not answer.is_file():
        if time.monotonic() > deadline:
            raise RuntimeError("the server did not take the upgrade")
        time.sleep(0.005)
    document = json.loads(answer.read_text(encoding="utf-8"))
    if document:
        raise RuntimeError(document["message"])
    answer.unlink()


def _share_of_the_host(bench: Bench) -> dict[str, float]:
    """Milliseconds of one change inside an idle host, medians."""
    took: dict[str, list[float]] = {"disable": [], "enable": [], "upgrade": []}
    with TestHost(bench.data_dir(small=_PLUGINS), config={"log_level": "info"}) as host:
        for number in range(bench.count(20, 5)):
            _timed(took["disable"], lambda: host.disable(_SWITCHED))
            _timed(took["enable"], lambda: host.enable(_SWITCHED))
            source = small_plugin(bench.folder / f"s{number}" / _UPGRADED, f"1.{number + 1}.0")
            _timed(took["upgrade"], partial(host.host.plugins.install, source))
    return {what: statistics.median(values) for what, values in took.items()}


def _timed(into: list[float], call: Callable[[], object]) -> None:
    began = time.perf_counter()
    call()
    into.append((time.perf_counter() - began) * 1000)
