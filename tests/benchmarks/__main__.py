"""``python -m tests.benchmarks [NAME ...] [--quick] [--json FILE] [--markdown FILE]``."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.benchmarks.bench import Bench
from tests.benchmarks.load import generator
from tests.benchmarks.processes import ROOT
from tests.benchmarks.results import Block, machine, markdown, show, write_json

NAMES = (
    "route",
    "datasette",
    "stream",
    "switch",
    "blocked",
    "start",
    "memory",
    "data",
    "sockets",
    "dispatch",
    "signed_in",
    "engines",
    "drops",
    "rooms",
    "local_rest",
    "media",
    "songs",
    "songs_pages",
)


def main() -> int:
    options = _parser().parse_args()
    # As Ctrl-C does: children and temporary folders go when the interpreter unwinds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if generator() != "wrk":
        print(
            "wrk is not installed (Debian: apt-get install wrk): a client in Python makes the "
            "load. It is slower, so absolute figures are lower and ratios nearer to 1.\n"
        )
    blocks: list[Block] = []
    broken = []
    for name in options.names or NAMES:
        try:
            block = _run(name, quick=options.quick)
        except Exception:
            traceback.print_exc()
            broken.append(name)
            continue
        blocks.append(block)
        print(show(block), end="\n\n", flush=True)
    if options.json:
        write_json(blocks, options.json)
    if options.markdown:
        options.markdown.write_text(markdown(blocks), encoding="utf-8")
    if broken:
        print(f"Did not run to their end: {', '.join(broken)}.", file=sys.stderr)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *NAMES],
                        help=f"which ones: {', '.join(NAMES)}; all without a name")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="shorter and rougher")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write tables there")
    return parser


def _run(name: str, *, quick: bool) -> Block:
    case = importlib.import_module(f"tests.benchmarks.cases.{name}")
    began = time.perf_counter()
    with Bench(name, case.TITLE, quick=quick, tools=ROOT / ".bench") as bench:
        bench.block.machine = machine()
        case.run(bench)
    bench.block.seconds = time.perf_counter() - began
    return bench.block


if __name__ == "__main__":
    sys.exit(main())
