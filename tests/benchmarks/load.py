"""Load on one address: wrk where it is installed, else a small client in several processes.

And a probe: one request at a time on a fixed schedule. Its latencies count from the moment at
which a request was due, so a stall shows in all that it delayed. A closed loop such as wrk's
sends nothing while it waits, and hides just that.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tests.benchmarks.processes import ROOT, Child, cpu_seconds
from tests.benchmarks.results import Figure

__all__ = ["Load", "Probe", "generator", "median_of", "press", "rate_figure"]

_SCRIPTS = "tests/benchmarks"


@dataclass(frozen=True)
class Load:
    """What was seen from outside. Rates per second, latencies in milliseconds; ``failed`` are
    answers from 400 on, broken connections and time-outs."""

    rate: float
    bytes_rate: float
    p50: float
    p99: float
    worst: float
    requests: int
    failed: int
    seconds: float
    cpu: float = 0.0
    """Seconds of processor time that the server used, where that was asked for."""

    @property
    def cpu_each(self) -> float:
        """Microseconds of the server's processor time for a request."""
        return self.cpu * 1e6 / self.requests if self.requests else 0.0

    @property
    def cpu_per_gb(self) -> float:
        """Seconds of the server's processor time for 10^9 bytes."""
        return self.cpu * 1e9 / (self.bytes_rate * self.seconds)


@cache
def generator() -> str:
    """``wrk``, or ``python`` where that is missing."""
    return "wrk" if shutil.which("wrk") else "python"


def press(
    url: str,
    seconds: float,
    *,
    connections: int = 4,
    headers: Mapping[str, str] | None = None,
    ranges: tuple[int, int] | None = None,
    server: Child | None = None,
) -> Load:
    """Asks for one address as fast as it answers. ``ranges`` are a file's size and the length of
    the ranges that are asked for, at random offsets. ``server`` has its processor time taken.
    Raises RuntimeError when there was no answer at all."""
    tool = _press_with_wrk if generator() == "wrk" else _press_with_python
    before = cpu_seconds(server.pid) if server is not None else 0.0
    load = tool(url, seconds, connections, headers or {}, ranges)
    if not load.bytes_rate:
        raise RuntimeError(f"{url} answered nothing within {seconds:g} s")
    return load if server is None else replace(load, cpu=cpu_seconds(server.pid) - before)


def _press_with_wrk(
    url: str,
    seconds: float,
    connections: int,
    headers: Mapping[str, str],
    ranges: tuple[int, int] | None,
) -> Load:
    script = f"{_SCRIPTS}/wrk_ranges.lua" if ranges else f"{_SCRIPTS}/wrk_report.lua"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", script]
    command += ["--timeout", "30s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command.append(url)
    if ranges:
        command += ["--", *map(str, ranges)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=True
    )
    return load_of(done.stdout.strip().splitlines()[-1])


def _press_with_python(
    url: str,
    seconds: float,
    connections: int,
    headers: Mapping[str, str],
    ranges: tuple[int, int] | None,
) -> Load:
    size, length = ranges or (0, 0)
    options = {"headers": dict(headers), "size": size, "length": length}
    with Child.python(
        "-m", "tests.benchmarks.client", "press", url, str(seconds), str(connections),
        json.dumps(options),
    ) as client:  # fmt: skip
        return load_of(client.line())


def load_of(line: str) -> Load:
    """What a generator reports in one line of JSON; latencies in seconds."""
    found = json.loads(line)
    return Load(
        rate=found["requests"] / found["seconds"],
        bytes_rate=found["bytes"] / found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        worst=found["max"],
        requests=found["requests"],
        failed=found["failed"],
        seconds=found["seconds"],
    )


class Probe:
    """Asks for an address ``rate`` times a second in a process of its own, until it is ended."""

    def __init__(self, url: str, *, rate: int = 200) -> None:
        self._child = Child.python(
            "-m", "tests.benchmarks.client", "probe", url, str(rate), stdin=True
        )
        self._child.line()  # it is warm

    def end(self) -> Load:
        """What it saw."""
        try:
            self._child.tell("end")
            return load_of(self._child.line())
        finally:
            self._child.end()


def median_of(loads: Sequence[Load]) -> Load:
    """Value by value; the worst latency is that of all, and what is counted is added up."""

    def middle(pick: Callable[[Load], float]) -> float:
        return statistics.median(pick(load) for load in loads)

    return Load(
        rate=middle(lambda load: load.rate),
        bytes_rate=middle(lambda load: load.bytes_rate),
        p50=middle(lambda load: load.p50),
        p99=middle(lambda load: load.p99),
        worst=max(load.worst for load in loads),
        requests=sum(load.requests for load in loads),
        failed=sum(load.failed for load in loads),
        seconds=sum(load.seconds for load in loads),
        cpu=sum(load.cpu for load in loads),
    )


def rate_figure(label: str, load: Load) -> Figure:
    """Requests a second, with percentiles and what they cost the server."""
    more = f"p50 {load.p50:.2f} ms, p99 {load.p99:.1f} ms"
    if load.cpu:
        more += f", {load.cpu_each:.0f} µs of CPU each"
    return Figure(label, load.rate, "requests/s", more, load.cpu_each)
