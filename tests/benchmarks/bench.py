"""What every benchmark gets: a folder of its own, children that end with it, and how long."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.installation import add_plugin, add_small_plugins, prepare, serve
from tests.benchmarks.load import Load
from tests.benchmarks.processes import Child
from tests.benchmarks.results import Block

__all__ = ["THREADS", "Bench"]

THREADS = 16
"""Worker threads of Stagebox by default; peers on waitress get as many."""


class Bench:
    """A context manager. ``block`` is what the benchmark fills."""

    def __init__(self, name: str, title: str, *, quick: bool, tools: Path) -> None:
        self.quick = quick
        self.tools = tools
        """A folder that stays: what a peer needs is installed there once."""
        self.block = Block(name, title)
        self._stack = ExitStack()
        self._numbers = 0

    def __enter__(self) -> Bench:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        return self

    def __exit__(self, *details: Any) -> None:
        self._stack.close()

    def seconds(self, full: float) -> float:
        """How long one measurement lasts."""
        return 1.0 if self.quick else full

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def interleaved(
        self, rounds: int, measures: Mapping[str, Callable[[], Load]]
    ) -> dict[str, list[Load]]:
        """Runs all measures in turn, round after round, so that a change of the machine's mood
        meets all of them. A first round warms up and is thrown away."""
        found: dict[str, list[Load]] = {name: [] for name in measures}
        for number in range(1 if self.quick else rounds + 1):
            for name, measure in measures.items():
                load = measure()
                if self.quick or number:
                    found[name].append(load)
        return found

    def child(self, child: Child) -> Child:
        """Ended with the benchmark at the latest."""
        return self._stack.enter_context(child)

    def data_dir(
        self,
        *,
        small: int = 0,
        bench: bool = False,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        database: str = "",
    ) -> Path:
        """A new one with so many small plugins, all enabled, and the plugin ``bench`` or not; its
        data are in files unless it has a ``database``."""
        self._numbers += 1
        data_dir = self.folder / f"data{self._numbers}"
        enabled = add_small_plugins(data_dir, small)
        if bench:
            enabled.append(add_plugin(data_dir))
        return prepare(data_dir, enabled, settings, database)

    def serve(self, data_dir: Path, *options: str) -> tuple[Child, str]:
        """A serving process, and its address."""
        child = self.child(serve(data_dir, *options))
        return child, child.url()

    def peer(self, module: str, *arguments: str | Path) -> tuple[Child, str]:
        """A module of ``peers`` in a process of its own, and the address that it prints."""
        child = self.child(Child.python("-m", f"tests.benchmarks.peers.{module}", *arguments))
        return child, child.url()
