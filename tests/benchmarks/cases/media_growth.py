"""Part of the case media: what many titles, episodes and scans cost, against few of them (media
contract, 13.1 to 13.4). Two servers are asked in turn, so that a busy machine is busy for both."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.benchmarks.bench import Bench
from tests.benchmarks.media_shelf import MediaShelf
from tests.benchmarks.processes import wait_until_ready
from tests.benchmarks.results import Aim, Figure, Row

__all__ = ["Asker", "measure_growth"]

_FLAT = Aim("ratio", "<=", 1.5)


class Asker:
    """One connection that stays."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def milliseconds(self, path: str) -> float:
        """Raises RuntimeError for anything but 200."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        answer.read()
        taken = (time.perf_counter() - began) * 1000
        if answer.status not in (200, 206):
            raise RuntimeError(f"{path} answered {answer.status}")
        return taken

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class _Served:
    shelf: MediaShelf
    asker: Asker


def measure_growth(bench: Bench) -> None:
    few, many = _serve(bench), _serve(bench)
    each = bench.count(25_000, 2500)
    few.shelf.add_films(each // 50)
    few.shelf.add_shows(each // 50)
    many.shelf.add_films(each)
    many.shelf.add_shows(each)
    between = _between(bench, few, many)
    for path in ("movies", "tvshows"):
        both = (f"/api/v1/{path}",) * 2
        between(f"GET /{path}", both, (f"{2 * each:,} media", f"{each // 25:,}"), _FLAT)
    few.shelf.add_films(each // 10 - each // 50)
    few.shelf.add_shows(each // 10 - each // 50)
    titles = (f"{2 * each:,} titles", f"{each // 5:,}")
    linear = Aim("ratio", "<=", 12)
    none = "/api/v1/search?query=nobody%20knows"
    between("search, no match", (none, none), titles, linear)
    early = "/api/v1/search?query=0"  # in each title, of films and of shows
    between("search, early matches", (early, early), titles, linear)
    _early_matches(bench, many, early, none)
    _shows(bench, few, many)
    _scans(bench, few, many)
    for server in (few, many):
        server.asker.close()


_Between = Callable[[str, tuple[str, str], tuple[str, str], Aim], None]


def _serve(bench: Bench) -> _Served:
    data_dir = bench.data_dir()
    _, url = bench.serve(data_dir)
    wait_until_ready(url + "/health")
    return _Served(MediaShelf(data_dir), Asker(url))


def _between(bench: Bench, few: _Served, many: _Served) -> _Between:
    def row(what: str, paths: tuple[str, str], labels: tuple[str, str], aim: Aim) -> None:
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(bench.count(40, 10)):
            for place, server in enumerate((many, few)):
                taken[place].append(server.asker.milliseconds(paths[place]))
        figures = [
            Figure(label, statistics.median(each), "ms")
            for label, each in zip(labels, taken, strict=True)
        ]
        bench.block.rows.append(Row(what, figures[0], figures[1], aim))

    return row


def _early_matches(bench: Bench, server: _Served, early: str, none: str) -> None:
    found: list[float] = []
    missed: list[float] = []
    for _ in range(bench.count(40, 10)):
        found.append(server.asker.milliseconds(early))
        missed.append(server.asker.milliseconds(none))
    ours = Figure("20 matches that come early", statistics.median(found), "ms")
    theirs = Figure("no match", statistics.median(missed), "ms")
    row = Row("search among all titles", ours, theirs, Aim("ratio", "<=", 1))
    bench.block.rows.append(row)


def _shows(bench: Bench, few: _Served, many: _Served) -> None:
    episodes = bench.count(2000, 200)
    small, large = few.shelf.add_shows(1, 20), many.shelf.add_shows(1, episodes)
    paths = (f"/api/v1/tvshows/{large}", f"/api/v1/tvshows/{small}")
    labels = (f"{episodes:,} episodes", "20")
    between = _between(bench, few, many)
    between("GET /tvshows/{id}", paths, labels, Aim("ratio", "<=", 120))


def _scans(bench: Bench, few: _Served, many: _Served) -> None:
    count = bench.count(20_000, 2000)
    small, large = few.shelf.add_scans(100), many.shelf.add_scans(count)
    between = _between(bench, few, many)
    labels = (f"{count:,} scans", "100")
    between("GET /scan/jobs", ("/api/v1/scan/jobs",) * 2, labels, _FLAT)
    paths = (f"/api/v1/scan/job/{large}", f"/api/v1/scan/job/{small}")
    between("GET /scan/job/{id}", paths, labels, _FLAT)
