"""How much memory an idle host holds."""

from __future__ import annotations

import time

from tests.benchmarks.bench import THREADS, Bench
from tests.benchmarks.peers.bare_falcon import PATH
from tests.benchmarks.processes import Child, Memory, memory_of, wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "memory of an idle host"

_PLUGINS = 100


def run(bench: Bench) -> None:
    peer = bench.peer("bare_falcon", "waitress", str(THREADS))
    settle = bench.seconds(3)
    bare = _idle(peer, PATH, settle)
    plain = _idle(bench.serve(bench.data_dir()), "/api/health", settle)
    full = _idle(bench.serve(bench.data_dir(small=_PLUGINS)), "/api/health", settle)
    bench.block.rows += [
        Row(
            "all built-ins",
            _figure("Stagebox", plain),
            _figure("bare Falcon on waitress", bare),
            Aim("ours", "<=", 120, "MB"),
        ),
        Row(
            f"{_PLUGINS} further plugins",
            Figure(
                "what they add",
                full.rss - plain.rss,
                "MB",
                f"PSS {full.pss - plain.pss:.1f} MB; {full.rss:.0f} MB in all",
            ),
            aim=Aim("ours", "<=", 60, "MB"),
        ),
    ]
    bench.block.notes.append("RSS, in MB of 10^6 bytes, after a few requests and a pause.")


def _idle(process: tuple[Child, str], path: str, settle: float) -> Memory:
    child, url = process
    for _ in range(20):
        wait_until_ready(url + path)
    time.sleep(settle)
    return memory_of(child.pid)


def _figure(label: str, memory: Memory) -> Figure:
    return Figure(label, memory.rss, "MB", f"PSS {memory.pss:.1f} MB")
