"""The second part of ``songs``: what a serving process does with it, and scans."""

from __future__ import annotations

import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import builtin_plugins.songs as songs
from builtin_plugins.song_formats.sloppak import SloppakFormat
from builtin_plugins.songs.facts import Arrangement, SongFacts, Stem
from builtin_plugins.songs.index import Found, LibraryIndex
from plugin_sdk.testing import FakeContext
from tests.benchmarks.bench import Bench
from tests.benchmarks.processes import ROOT, MemoryWatch, resident, wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

__all__ = ["run"]

_MANIFEST: Final = """feedpak_version: "1.13.0"
title: "Song {number}"
artist: "Artist {artist}"
duration: 200.5
arrangements:
  - {{id: lead, name: Lead, file: lead.json}}
stems:
  - {{id: full, file: full.ogg}}
"""
_NOTES: Final = 5000


def run(bench: Bench) -> None:
    _filled_server(bench)
    rate = _first_scan(bench, bench.count(1000, 50), watched=False)
    again = _first_scan(bench, bench.count(3000, 100), watched=True)
    bench.block.rows.append(
        Row(
            "first scan, many and few packs, a pack",
            Figure("3,000", 1000 / again, "ms"),
            Figure("1,000", 1000 / rate, "ms"),
            Aim("ratio", "<=", 1.5),
        )
    )
    _unchanged(bench)
    _sound_and_chart(bench)


def _filled_server(bench: Bench) -> None:
    """The artists of a large library are a stream."""
    data_dir = bench.data_dir()
    child, url = bench.serve(data_dir)
    wait_until_ready(url + "/api/health")
    command = [sys.executable, "-m", "host", "--data-dir", data_dir, "songs", "fill"]
    subprocess.run([*command, str(bench.count(80_000, 4000))], cwd=ROOT, check=True, timeout=200)
    _get(url, "/api/library")
    with MemoryWatch(child.pid) as watch:
        size = len(_get(url, "/api/library/artists"))
    figure = Figure("growth", watch.growth, "MB", f"{size / 1e6:.0f} MB of JSON")
    bench.block.rows.append(Row("all artists", figure, None, Aim("ours", "<=", 30, "MB")))
    child.end()


def _first_scan(bench: Bench, count: int, *, watched: bool) -> float:
    """Songs per second and worker of a first scan; what others feel of it meanwhile."""
    folder = bench.folder / f"packs-{count}"
    for number in range(count):
        _write_pack(folder / f"{number % 50}" / f"{number}.sloppak", number)
    options = {"dlcDir": str(folder), "scanWorkers": 1, "scanOnStart": True}
    child, url = bench.serve(bench.data_dir(settings={"songs": options}))
    wait_until_ready(url + "/api/health")
    pages: list[float] = []
    looks: list[float] = []
    while True:
        began = time.perf_counter()
        status = json.loads(_get(url, "/api/scan-status"))
        looks.append((time.perf_counter() - began) * 1000)
        if status["status"] == "complete":
            break
        assert status["status"] != "error", status
        pages.append(_milliseconds(lambda: _get(url, "/api/library")))
        time.sleep(0.02)
    assert status["added"] == count, status
    if watched:
        idle = [_milliseconds(lambda: _get(url, "/api/library")) for _ in range(100)]
        bench.block.rows += [
            Row(
                "first page during a scan, 95th percentile",
                Figure("scanning", _late(pages), "ms"),
                Figure("idle", _late(idle), "ms"),
                Aim("ratio", "<=", 5),
            ),
            Row(
                "scan-status during a scan, 95th percentile",
                Figure("scanning", _late(looks), "ms"),
                None,
                Aim("ours", "<=", 100, "ms"),
            ),
        ]
    child.end()
    seconds = _seconds(status["finishedAt"]) - _seconds(status["startedAt"])
    rate = count / seconds
    what = f"first scan of {count:,} small packs, one worker"
    figure = Figure("packs", rate, "/s")
    bench.block.rows.append(Row(what, figure, None, Aim("ours", ">=", 100, "/s")))
    return rate


def _unchanged(bench: Bench) -> None:
    """In this process: the walk is compared, not the start of one."""
    count = bench.count(20_000, 500)
    folder = bench.folder / "unchanged"
    content = _pack(0)
    found = []
    for number in range(count):
        path = folder / f"{number % 200}" / f"{number}.sloppak"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        info = path.stat()
        name = f"{number % 200}/{number}.sloppak"
        facts = SongFacts(
            title=f"Song {number}",
            artist=f"Artist {number // 20}",
            tuning=(0,) * 6,
            arrangements=[Arrangement("Lead", 1)],
            stems=[Stem("full")],
            format="sloppak",
        )
        found.append(Found(name, name, "sloppak", f"{info.st_mtime_ns}-{info.st_size}", facts))
    with FakeContext.for_folder(Path(songs.__file__).parent) as context:
        context.services.add("host.info", _Life())
        context.services.add("host.settings", _NoSettings())
        plugin = context.start(songs.plugin)
        context.providers.add("song_format", "sloppak", SloppakFormat())
        with context.db.transaction():
            LibraryIndex(context.db, context.clock).put(found)
        context.settings.update({"dlcDir": str(folder)})
        context.jobs.run_all()
        rescan = _Taken()
        walk = _Taken()
        for _ in range(bench.count(7, 2)):
            plugin.rescan(None)
            rescan.add(context.jobs.run_all)
            status = plugin.scan_status(None)
            assert (status["unchanged"], status["total"]) == (count, 0), status
            walk.add(lambda: _walked(str(folder)))
        context.stop(plugin)
    bench.block.rows.append(
        Row(
            f"rescan of {count:,} unchanged packs and a bare walk with stat",
            rescan.figure("rescan"),
            walk.figure("walk"),
            Aim("ratio", "<=", 3),
        )
    )


def _sound_and_chart(bench: Bench) -> None:
    folder = bench.folder / "large"
    pack = folder / "large.feedpak"
    _write_folder(pack, bench.count(2 * 1024**3, 64 * 1024**2))
    options = {"dlcDir": str(folder), "scanOnStart": True}
    child, url = bench.serve(bench.data_dir(settings={"songs": options}))
    wait_until_ready(url + "/api/health")
    while json.loads(_get(url, "/api/scan-status"))["status"] != "complete":
        time.sleep(0.05)
    (song,) = json.loads(_get(url, "/api/library"))["songs"]
    track = f"/api/tracks/{song['trackId']}"
    end = {"Range": "bytes=-1000"}
    _get(url, f"{track}/audio", end)
    taken = [_milliseconds(lambda: _get(url, f"{track}/audio", end)) for _ in range(20)]
    rows = bench.block.rows
    rows.append(
        Row(
            "the end of a sound of 2 GB",
            Figure("range", statistics.median(taken), "ms"),
            None,
            Aim("ours", "<=", 50, "ms"),
        )
    )
    with MemoryWatch(child.pid) as watch:
        threads = [
            threading.Thread(target=_get, args=(url, f"{track}/audio", {"Range": _range(number)}))
            for number in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    figure = Figure("growth", watch.growth, "MB", f"from {watch.before:.0f} MB")
    rows.append(Row("16 streams at once", figure, None, Aim("ours", "<=", 16, "MB")))
    _chart(bench, url, track)
    assert resident(child.pid)
    child.end()


def _chart(bench: Bench, url: str, track: str) -> None:
    first = _milliseconds(lambda: _get(url, f"{track}/highway"))
    tag = _headers(url, f"{track}/highway")["ETag"]
    known = {"If-None-Match": tag}
    again = [_milliseconds(lambda: _get(url, f"{track}/highway", known)) for _ in range(20)]
    bench.block.rows += [
        Row(
            f"highway of {_NOTES:,} notes, the first time",
            Figure("first", first, "ms"),
            None,
            Aim("ours", "<=", 150, "ms"),
        ),
        Row(
            "the same with If-None-Match",
            Figure("again", statistics.median(again), "ms"),
            None,
            Aim("ours", "<=", 30, "ms"),
        ),
    ]


class _Taken:
    """How long calls took, and what they cost the processor, which busy neighbours change less."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cost: list[float] = []

    def add(self, call: Callable[[], Any]) -> None:
        began = time.process_time()
        self._wall.append(_milliseconds(call))
        self._cost.append((time.process_time() - began) * 1000)

    def figure(self, label: str) -> Figure:
        cost = statistics.median(self._cost)
        more = f"{cost:.0f} ms of the processor"
        return Figure(label, statistics.median(self._wall), "ms", more, cost)


class _Life:
    life = "one"


class _NoSettings:
    """Of another plugin there are none to take over."""

    def schema(self, _: str) -> dict[str, Any]:
        return {"properties": {}}

    def values(self, _: str) -> dict[str, Any]:
        return {}

    def pinned(self, _: str) -> frozenset[str]:
        return frozenset()


def _walked(root: str) -> int:
    found, pending = 0, [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    found += 1
    return found


def _pack(number: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.yaml", _MANIFEST.format(number=number, artist=number // 20))
        archive.writestr("lead.json", _arrangement(50))
        archive.writestr("full.ogg", b"OggS" + bytes(200))
    return target.getvalue()


def _write_pack(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_pack(number))


def _write_folder(path: Path, sound: int) -> None:
    """With a chart of 5,000 notes and a sparse sound."""
    path.mkdir(parents=True)
    (path / "manifest.yaml").write_text(_MANIFEST.format(number=1, artist=1))
    (path / "lead.json").write_text(_arrangement(_NOTES))
    with (path / "full.ogg").open("wb") as file:
        file.truncate(sound)


def _arrangement(notes: int) -> str:
    played = [{"t": n / 10, "s": n % 6, "f": n % 20, "sus": 0.5, "ho": True} for n in range(notes)]
    return json.dumps({"name": "Lead", "tuning": [0] * 6, "notes": played, "chords": []})


def _range(number: int) -> str:
    begin = number * 1024**2
    return f"bytes={begin}-{begin + 32 * 1024**2 - 1}"


def _get(url: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    """Read in pieces; of a long answer only the first megabyte is kept."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        assert answer.status in (200, 206, 304), (path, answer.status)
        return answer.read()
    finally:
        connection.close()


def _headers(url: str, path: str) -> http.client.HTTPMessage:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.headers
    finally:
        connection.close()


def _milliseconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _late(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
