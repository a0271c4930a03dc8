"""Rows of a table as JSON, and a plugin's route, against Datasette."""

from __future__ import annotations

import json
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import Bench
from tests.benchmarks.environments import environment
from tests.benchmarks.load import Load, median_of, press, rate_figure
from tests.benchmarks.processes import Child, free_port, wait_until_ready
from tests.benchmarks.results import Aim, Row
from tests.benchmarks.rows import write_rows

TITLE = "rows of a table as JSON, and a plugin's route, against Datasette"

_ROWS = 10_000
_DATASETTE = "datasette==0.65.5"
_OURS = "/api/plugins/bench"
_PATHS = {
    # name: our path, Datasette's; its list without the count and the facets that it would add
    "row": (f"{_OURS}/rows/4711", "/rows/rows/4711.json?_shape=array"),
    "list": (
        f"{_OURS}/rows",
        "/rows/rows.json?_shape=array&_size=50&_nocount=1&_nofacet=1&_nosuggest=1",
    ),
    "route": (f"{_OURS}/hello", "/hello"),
}


def run(bench: Bench) -> None:
    programs = environment(bench.tools / "datasette", [_DATASETTE])
    database = write_rows(bench.folder / "rows.db", _ROWS)
    port = str(free_port())
    script = Path(__file__).parents[1] / "peers" / "datasette_server.py"
    peer = bench.child(Child([programs / "python", script, database, port]))
    peer_url = f"http://127.0.0.1:{port}"
    data_dir = bench.data_dir(bench=True, settings={"bench": {"rows": _ROWS}})
    host, url = bench.serve(data_dir)
    wait_until_ready(peer_url + "/hello")
    _check_equal(url, peer_url)
    seconds = bench.seconds(3)
    measures = {}
    for name, (ours, theirs) in _PATHS.items():
        measures[f"{name} ours"] = partial(press, url + ours, seconds, server=host)
        measures[f"{name} theirs"] = partial(press, peer_url + theirs, seconds, server=peer)
    found = bench.interleaved(3, measures)
    texts = {
        "row": ("one row of 10,000 as JSON", 5.0),
        "list": ("a list of 50 rows as JSON", 5.0),
        "route": ("a plugin's own route", 1.5),
    }
    for name, (what, limit) in texts.items():
        bench.block.rows.append(_row(what, found[f"{name} ours"], found[f"{name} theirs"], limit))
    bench.block.notes.append(
        f"{_DATASETTE.replace('==', ' ')} as pip installs it, in one process on its own "
        "server (uvicorn) without an access log; its list is asked for without counting and facets."
    )


def _row(what: str, ours: list[Load], theirs: list[Load], limit: float) -> Row:
    return Row(
        what,
        rate_figure("Stagebox", median_of(ours)),
        rate_figure("Datasette", median_of(theirs)),
        Aim("ratio", ">=", limit),
    )


def _check_equal(url: str, peer_url: str) -> None:
    """Both have to give the same rows, or their figures mean nothing."""
    for ours, theirs in _PATHS.values():
        mine, other = _get(url + ours), _get(peer_url + theirs)
        if isinstance(other, list) and isinstance(mine, dict):
            (other,) = other
        if mine != other:
            raise RuntimeError(f"{ours} and {theirs} differ: {mine!r:.200} {other!r:.200}")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())
