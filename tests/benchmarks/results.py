"""What a benchmark found: rows of two figures, their ratio, and the aim."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

__all__ = ["Aim", "Block", "Figure", "Row", "machine", "markdown", "show", "write_json"]

Subject = Literal["ours", "ratio"]

_UNITS_WITHOUT_SPACE = ("",)


@dataclass(frozen=True)
class Figure:
    """``more`` is told behind the value: a percentile, a count. ``cost`` is the processor time
    behind it, in whatever unit; busy neighbours change it less than they change the value."""

    label: str
    value: float
    unit: str
    more: str = ""
    cost: float = 0.0

    def text(self) -> str:
        unit = "" if self.unit in _UNITS_WITHOUT_SPACE else f" {self.unit}"
        return f"{number(self.value)}{unit}"


@dataclass(frozen=True)
class Aim:
    """``subject`` is what the aim is about: our own figure, or ours divided by the peer's."""

    subject: Subject
    relation: Literal[">=", "<="]
    limit: float
    unit: str = ""

    def met(self, value: float) -> bool:
        return value >= self.limit if self.relation == ">=" else value <= self.limit

    def text(self) -> str:
        sign = {">=": "≥", "<=": "≤"}[self.relation]
        unit = f" {self.unit}" if self.unit else ""
        what = "ratio " if self.subject == "ratio" else ""
        return f"{what}{sign} {number(self.limit)}{unit}"


@dataclass(frozen=True)
class Row:
    """``ratio`` is ours divided by the peer's, whatever is better."""

    what: str
    ours: Figure
    peer: Figure | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        if self.peer is None or not self.peer.value:
            return None
        return self.ours.value / self.peer.value

    @property
    def cost_ratio(self) -> float | None:
        """As `ratio`, by processor time: the peer's divided by ours, so above 1 is better."""
        if self.peer is None or not self.ours.cost:
            return None
        return self.peer.cost / self.ours.cost

    @property
    def met(self) -> bool | None:
        """None without an aim, or without a peer to compare with."""
        if self.aim is None:
            return None
        value = self.ours.value if self.aim.subject == "ours" else self.ratio
        return None if value is None else self.aim.met(value)

    def verdict(self) -> str:
        met = self.met
        return "" if met is None else ("met" if met else "MISSED")


@dataclass
class Block:
    """All that one benchmark found. ``notes`` are sentences for the reader."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    machine: str = ""
    seconds: float = 0.0


def number(value: float) -> str:
    """Three or four significant digits, thousands apart."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3g}"


def ratio_text(row: Row) -> str:
    """``0.91 (by processor time 0.95)``."""
    if row.ratio is None:
        return ""
    cost = f" (by processor time {number(row.cost_ratio)})" if row.cost_ratio is not None else ""
    return number(row.ratio) + cost


def machine() -> str:
    """Cores, Python, system, and how busy all of it is right now."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"load {load:.1f}"
    )


def show(block: Block) -> str:
    """A block for a terminal."""
    lines = [f"── {block.name}: {block.title}"]
    for row in block.rows:
        lines.append(f"   {row.what}")
        for figure in (row.ours, row.peer):
            if figure is not None:
                more = f"   ({figure.more})" if figure.more else ""
                lines.append(f"      {figure.label:<44}{figure.text():>16}{more}")
        summary = []
        if row.ratio is not None:
            summary.append(f"ratio {ratio_text(row)}")
        if row.aim is not None:
            summary.append(f"aim: {row.aim.text()}  {row.verdict()}")
        if summary:
            lines.append(f"      {'   '.join(summary)}")
    lines += [f"   · {note}" for note in block.notes]
    lines.append(f"   {block.machine}; took {block.seconds:.0f} s")
    return "\n".join(lines)


def write_json(blocks: Sequence[Block], file: Path) -> None:
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "benchmarks": [_document(block) for block in blocks],
    }
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _document(block: Block) -> dict[str, Any]:
    document = asdict(block)
    for row, found in zip(block.rows, document["rows"], strict=True):
        found["ratio"] = row.ratio
        found["cost_ratio"] = row.cost_ratio
        found["met"] = row.met
    return document


def markdown(blocks: Iterable[Block]) -> str:
    """The same as tables, for a page of documentation."""
    lines: list[str] = []
    for block in blocks:
        lines += [f"### {block.name}: {block.title}", ""]
        lines += ["| what | Stagebox | peer | ratio | aim |", "|---|---|---|---|---|"]
        lines += [_table_line(row) for row in block.rows]
        lines.append("")
        lines += [f"* {note}" for note in block.notes]
        if block.notes:
            lines.append("")
    return "\n".join(lines)


def _table_line(row: Row) -> str:
    aim = f"{row.aim.text()}: {row.verdict() or 'not measured'}" if row.aim else ""
    ratio = ratio_text(row)
    peer = f"{_cell(row.peer)} · {row.peer.label}" if row.peer else ""
    return f"| {row.what} | {_cell(row.ours)} | {peer} | {ratio} | {aim} |"


def _cell(figure: Figure) -> str:
    return f"{figure.text()} ({figure.more})" if figure.more else figure.text()
