"""What many plugins cost: on one route, and in the list of plugins."""

from __future__ import annotations

import json
import urllib.request
from functools import partial

from tests.benchmarks.bench import Bench
from tests.benchmarks.load import Load, median_of, press, rate_figure
from tests.benchmarks.results import Aim, Figure, Row

TITLE = "one route beside many plugins, and the list of plugins"

_ROUTE = "/api/plugins/small000/hello"
_LIST = "/api/plugins"


def run(bench: Bench) -> None:
    hosts = {count: bench.serve(bench.data_dir(small=count)) for count in (1, 20, 100, 200)}
    seconds = bench.seconds(2)
    routes = bench.interleaved(
        4,
        {
            str(count): partial(press, hosts[count][1] + _ROUTE, seconds, server=hosts[count][0])
            for count in (1, 100)
        },
    )
    lists = bench.interleaved(
        3,
        {
            str(count): partial(
                press, hosts[count][1] + _LIST, seconds, connections=1, server=hosts[count][0]
            )
            for count in (20, 200)
        },
    )
    bench.block.rows += [
        Row(
            "a route beside 99 other plugins",
            rate_figure("100 plugins", median_of(routes["100"])),
            rate_figure("1 plugin", median_of(routes["1"])),
            Aim("ratio", ">=", 1 / 1.5),
        ),
        Row(
            "GET /api/plugins, for each entry of the answer",
            _per_entry(200, hosts[200][1], median_of(lists["200"])),
            _per_entry(20, hosts[20][1], median_of(lists["20"])),
            Aim("ratio", "<=", 1.5),
        ),
    ]


def _per_entry(count: int, url: str, load: Load) -> Figure:
    with urllib.request.urlopen(url + _LIST, timeout=30) as answer:
        entries = len(json.loads(answer.read()))
    cost = load.cpu_each / entries
    more = f"{entries} entries in {load.p50:.2f} ms (p50), {cost:.1f} µs of CPU for each"
    return Figure(
        f"{count} plugins beside the built-ins", load.p50 * 1000 / entries, "µs", more, cost
    )
