"""Media: scans against walking the tree, lists and search, and a film in ranges against nginx
(media contract, 13)."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from builtin_plugins.media.names import movie_name
from tests.benchmarks.bench import Bench
from tests.benchmarks.cases import stream
from tests.benchmarks.cases.media_growth import measure_growth
from tests.benchmarks.cases.media_pressure import (
    measure_colours,
    measure_movies_during_a_scan,
    measure_stall,
    measure_streams,
)
from tests.benchmarks.installation import BENCH_PLUGIN, add_plugin, prepare
from tests.benchmarks.load import press
from tests.benchmarks.media_shelf import MediaShelf
from tests.benchmarks.processes import MemoryWatch, cpu_seconds, wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "media: scanning, listing, searching, streaming"

_PER_FOLDER = 20
_SIZE = 256 * 1024 * 1024
_ENDED = ("COMPLETED", "FAILED")
_WALKED = Aim("ratio", ">=", 1 / 3)
_FASTER = Aim("ratio", ">=", 2)
_LINEAR = Aim("ratio", ">=", 10 / 13)


def run(bench: Bench) -> None:
    count = bench.count(20_000, 2000)
    root = _plant(bench.folder / "films", count)
    data_dir = bench.folder / "data"
    data_dir.mkdir()
    instant = add_plugin(data_dir, BENCH_PLUGIN.parent / "instant_metadata")
    host, url = bench.serve(prepare(data_dir, [instant]))
    wait_until_ready(url + "/health")
    media = _Media(url)
    small = _plant(bench.folder / "few films", count // 10)
    few = count // 10 / media.scan(small)
    _scans(bench, media, root, count, few, host.pid)
    _names(bench)
    _latencies(bench, media, count)
    measure_movies_during_a_scan(bench, media, root)
    measure_stall(bench, media, small, host.pid)
    _ranges(bench, media, host)
    measure_streams(bench, media, host.pid)
    measure_colours(bench, media, MediaShelf(data_dir))
    measure_growth(bench)
    bench.block.notes.append(
        f"{count:,} empty files, {_PER_FOLDER} in a folder, the tree in the page cache; everything "
        "over HTTP, so a scan's end is seen up to 20 ms late."
    )


def _plant(root: Path, count: int) -> Path:
    for number in range(count):
        folder = root / f"Set {number // _PER_FOLDER:05}"
        if number % _PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"Film {number:05} (2001).mkv").touch()
    return root


class _Media:
    """A client whose connection stays, so that looking how a scan is hardly slows it down."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._sent(path, data)
        except (http.client.RemoteDisconnected, ConnectionError):  # nobody asked for a long time
            self._connection.close()
            answer = self._sent(path, data)
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path} answered {answer.status}")
        return json.loads(content)["data"]

    def _sent(self, path: str, data: bytes | None) -> http.client.HTTPResponse:
        self._connection.request("GET" if data is None else "POST", f"/api/v1{path}", data)
        return self._connection.getresponse()

    def scan(self, root: Path, **options: Any) -> float:
        """Seconds until it is complete."""
        began = time.perf_counter()
        job = self.ask("/scan/path", {"path": str(root), "options": options})["jobId"]
        while (found := self.ask(f"/scan/job/{job}"))["status"] not in _ENDED:
            time.sleep(0.02)
        taken = time.perf_counter() - began
        if found["status"] != "COMPLETED":
            raise RuntimeError(f"the scan failed: {found['error']}")
        return taken


def _scans(bench: Bench, media: _Media, root: Path, count: int, few: float, server: int) -> None:
    """``few``: files a second of a first scan of a tenth; ``server``: its process."""
    rows = bench.block.rows
    bare = count / media.scan(root)
    ours = Figure(f"{count:,} files", bare, "/s")
    peer = Figure(f"{count // 10:,} files", few, "/s")
    rows.append(Row("first scan, no provider", ours, peer, _LINEAR))
    media.ask("/settings/providers", {"name": "instant"})
    matched = media.scan(root)
    filled = Figure("files", count / matched, "/s")
    rows.append(Row("scan that fills in everything, an instant provider", filled))
    rescans, walks = [], []
    cost = [0.0, 0.0]
    for _ in range(bench.count(5, 2)):
        before = cpu_seconds(server)
        rescans.append(media.scan(root))
        cost[0] += cpu_seconds(server) - before
        began = time.process_time()
        walks.append(_walk(root))
        cost[1] += time.process_time() - began
    again = Figure("files", count / statistics.median(rescans), "/s", cost=cost[0])
    label = "os.scandir and stat"
    walk = Figure(label, count / statistics.median(walks), "/s", cost=cost[1])
    rows.append(Row("unchanged rescan", again, walk, _WALKED))
    again = Figure(again.label, again.value, again.unit)  # the first one's cost is not known
    rows.append(Row("unchanged rescan against that scan", again, filled, _FASTER))


def _walk(root: Path) -> float:
    began = time.perf_counter()
    with os.scandir(root) as folders:
        for folder in folders:
            with os.scandir(folder.path) as files:
                for file in files:
                    file.stat()
    return time.perf_counter() - began


def _names(bench: Bench) -> None:
    stems = [f"The.Long.Name.of.Film.{number}.2001.1080p.BluRay.x264-GRP" for number in range(2000)]
    began = time.perf_counter()
    for stem in stems:
        movie_name((), stem, 2030)
    each = (time.perf_counter() - began) / len(stems) * 1000
    figure = Figure("each", each, "ms")
    bench.block.rows.append(Row("reading a name", figure, None, Aim("ours", "<=", 0.5, "ms")))


def _latencies(bench: Bench, media: _Media, count: int) -> None:
    for what, path in (
        ("GET /movies", "/movies"),
        ("search, early matches", "/search?query=film"),
        ("search, no match", "/search?query=zzzzzz"),
        ("GET /scan/jobs", "/scan/jobs"),
        ("GET /library", "/library"),
    ):
        taken = []
        for _ in range(bench.count(50, 10)):
            began = time.perf_counter()
            media.ask(path)
            taken.append((time.perf_counter() - began) * 1000)
        median = Figure(f"{count:,} films", statistics.median(taken), "ms")
        bench.block.rows.append(Row(what, median))


def _ranges(bench: Bench, media: _Media, host: Any) -> None:
    root = bench.folder / "large"
    root.mkdir()
    file = root / "Large (2001).mp4"
    with file.open("wb") as target:
        target.truncate(_SIZE)
    media.scan(root)
    path = media.ask("/search?query=large")["movies"][0]["streamUrl"]
    alias = bench.folder / "large.mp4"  # nginx' configuration takes no blanks
    alias.hardlink_to(file)
    nginx = stream._start_nginx(bench, alias)
    seconds = bench.seconds(2)
    way = partial(press, seconds=seconds, connections=4, ranges=(_SIZE, 1024 * 1024))
    measures = {"ours": partial(way, media.url + path, server=host)}
    if nginx is not None:
        for name in stream._NGINX_WAYS:
            measures[name] = partial(way, f"{nginx[1]}/{name}", server=nginx[0])
    with MemoryWatch(host.pid) as memory:
        found = bench.interleaved(3, measures)
    bench.block.rows.append(stream._throughput("1 MiB ranges of a film, 4 connections", found))
    growth = Figure("growth while streaming", memory.growth, "MB", f"peak {memory.peak:.0f} MB")
    bench.block.rows.append(Row("memory", growth, None, Aim("ours", "<=", 32, "MB")))
