"""How long a cold start takes: from the process to its first answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.bench import THREADS, Bench
from tests.benchmarks.installation import serve
from tests.benchmarks.peers.bare_falcon import PATH
from tests.benchmarks.processes import Child, cpu_seconds, wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "a start of the process until it answers"

_HEALTH = "/api/health"
_PLUGINS = 100


class Start(NamedTuple):
    """Seconds until the first answer, and of processor time till then."""

    took: float
    cpu: float


def run(bench: Bench) -> None:
    plain = bench.data_dir()
    full = bench.data_dir(small=_PLUGINS)
    first = start_of(partial(serve, full), _HEALTH)  # compiles the plugins
    start_of(partial(serve, plain), _HEALTH)
    peer = ("-m", "tests.benchmarks.peers.bare_falcon", "waitress", str(THREADS))
    ways: dict[str, Callable[[], Start]] = {
        "built-ins": partial(start_of, partial(serve, plain), _HEALTH),
        "plugins": partial(start_of, partial(serve, full), _HEALTH),
        "bare": partial(start_of, partial(Child.python, *peer), PATH),
        "imports": _imports,
    }
    found: dict[str, list[Start]] = {name: [] for name in ways}
    for _ in range(bench.count(5, 3)):
        for name, way in ways.items():
            found[name].append(way())
    plain_start, full_start = _middle(found["built-ins"]), _middle(found["plugins"])
    bench.block.rows += [
        Row(
            "all built-ins",
            _figure("Stagebox until /api/health answers", plain_start),
            _figure("bare Falcon on waitress until it answers", _middle(found["bare"])),
            Aim("ours", "<=", 1.5, "s"),
        ),
        Row(
            f"{_PLUGINS} further plugins",
            Figure(
                "what they add",
                full_start.took - plain_start.took,
                "s",
                f"{full_start.cpu - plain_start.cpu:.2f} s of CPU; {full_start.took:.2f} s in all",
            ),
            aim=Aim("ours", "<=", 1.0, "s"),
        ),
    ]
    bench.block.notes += [
        f"The disk's cache is warm, code is compiled; medians of {len(found['bare'])}. "
        f"The first start with {_PLUGINS} new plugins, which compiles them, took "
        f"{first.took:.2f} s.",
        f"python -c 'import falcon, waitress' alone takes {_middle(found['imports']).took:.2f} s.",
    ]


def start_of(start: Callable[[], Child], path: str) -> Start:
    """From the beginning of the process to the first 200."""
    with start() as child:
        wait_until_ready(child.url() + path)
        return Start(time.perf_counter() - child.started, cpu_seconds(child.pid))


def _imports() -> Start:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import falcon, waitress"], check=True, cwd=Path("/"))
    return Start(time.perf_counter() - began, 0.0)


def _middle(starts: list[Start]) -> Start:
    return Start(
        statistics.median(start.took for start in starts),
        statistics.median(start.cpu for start in starts),
    )


def _figure(label: str, start: Start) -> Figure:
    return Figure(label, start.took, "s", f"{start.cpu:.2f} s of CPU")
