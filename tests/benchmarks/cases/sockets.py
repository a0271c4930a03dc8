"""Many open WebSockets: threads, memory, what HTTP feels of them, and broadcasting."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from urllib.parse import urlsplit

from plugin_sdk import dump_json
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import Load, median_of, press
from tests.benchmarks.plugins.bench import MESSAGE_TYPE
from tests.benchmarks.processes import Child, memory_of, thread_count
from tests.benchmarks.results import Figure, Row

TITLE = "open WebSockets at /ws"

_HEALTH = "/api/health"
_MESSAGES = 50
_FRAME_BYTES = 2 + len(dump_json({"type": MESSAGE_TYPE, "number": 0}))
"""Head and text of one frame (RFC 6455, 5.2: shorter than 126 bytes)."""

_SETTINGS = {"realtime": {"pingIntervalSeconds": 600}}


def run(bench: Bench) -> None:
    for count in (1000,) if bench.quick else (1000, 3000):
        _crowd(bench, count)
    bench.block.notes.append(
        f"Broadcasting: {_MESSAGES} messages of {_FRAME_BYTES} bytes by one request, until the "
        "last client, which is a Python process on the same cores, has the last of them."
    )


def _crowd(bench: Bench, count: int) -> None:
    data_dir = bench.data_dir(bench=True, settings=_SETTINGS)
    host, url = bench.serve(data_dir)
    seconds = bench.seconds(2)
    before = _http(bench, url, seconds)
    threads, memory = thread_count(host.pid), memory_of(host.pid)
    parts = urlsplit(url)
    with Child.python(
        "-m", "tests.benchmarks.crowd", str(parts.hostname), str(parts.port), "/ws", str(count),
        stdin=True,
    ) as crowd:  # fmt: skip
        opened = float(crowd.line().split()[1])
        _tell(crowd, "quiet")
        grown = memory_of(host.pid).rss - memory.rss
        after_threads = thread_count(host.pid)
        after = _http(bench, url, seconds)
        times = [_broadcast(crowd, url, count) for _ in range(bench.count(7, 3))]
    host.end()
    took = statistics.median(times)
    name = f"{count:,} sockets"
    bench.block.rows += [
        Row(
            f"{name}: threads",
            Figure("with them", after_threads, ""),
            Figure("without", threads, ""),
        ),
        Row(
            f"{name}, idle: p99 of /api/health under load",
            _latency("with them", after),
            _latency("without", before),
        ),
        Row(
            f"{name}: broadcasts to all of them",
            Figure(
                "messages sent to all",
                _MESSAGES / took,
                "/s",
                f"{_MESSAGES * count / took:,.0f} deliveries/s",
            ),
        ),
        Row(
            f"{name}: what one costs",
            Figure("memory", grown * 1000 / count, "kB", f"opened {count / opened:,.0f} a second"),
        ),
    ]


def _http(bench: Bench, url: str, seconds: float) -> Load:
    return median_of(bench.interleaved(3, {"": lambda: press(url + _HEALTH, seconds)})[""])


def _latency(label: str, load: Load) -> Figure:
    more = f"p50 {load.p50:.2f} ms, {load.rate:,.0f} requests/s, {load.failed} failed"
    return Figure(label, load.p99, "ms", more)


def _tell(crowd: Child, line: str) -> str:
    crowd.tell(line)
    return crowd.line()


def _broadcast(crowd: Child, url: str, count: int) -> float:
    """Seconds until everybody has every message."""
    wanted = _MESSAGES * _FRAME_BYTES * count
    _tell(crowd, f"expect {wanted}")
    began = time.perf_counter()
    request = urllib.request.Request(
        f"{url}/api/plugins/bench/broadcast",
        data=json.dumps(_MESSAGES).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    got = int(crowd.line().split()[1])
    took = time.perf_counter() - began
    if got != wanted:
        raise RuntimeError(f"the clients got {got} bytes instead of {wanted}")
    return took
