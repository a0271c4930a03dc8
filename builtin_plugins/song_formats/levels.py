"""Difficulty levels: which of them make up the chart that is played (songs contract, section 11).

Charts with levels hold each passage several times, from easy to hard. What a song is, is the
hardest level of each passage, not the hardest level of the file: reading that one alone loses
most of a real chart.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from builtin_plugins.song_formats.charts import Item

__all__ = ["Level", "Window", "hardest", "merged", "spans"]


@dataclass(frozen=True, slots=True)
class Level:
    """One difficulty, in the outgoing shapes; each list in order of time."""

    difficulty: int = 0
    notes: Sequence[Item] = ()
    chords: Sequence[Item] = ()
    anchors: Sequence[Item] = ()
    hand_shapes: Sequence[Item] = ()

    def count(self) -> int:
        return len(self.notes) + len(self.chords)

    def between(self, start: float, end: float) -> Level:
        """What begins in [start, end)."""
        return Level(
            self.difficulty,
            _between(self.notes, "t", start, end),
            _between(self.chords, "t", start, end),
            _between(self.anchors, "time", start, end),
            _between(self.hand_shapes, "startTime", start, end),
        )

    def document(self) -> dict[str, Any]:
        """As `levels` of a phrase goes out."""
        return {
            "difficulty": self.difficulty,
            "notes": self.notes,
            "chords": self.chords,
            "anchors": self.anchors,
            "handShapes": self.hand_shapes,
        }


@dataclass(frozen=True, slots=True)
class Window:
    """A passage [start, end) and its hardest difficulty. ``levels`` are those to choose from."""

    start: float
    end: float
    difficulty: int
    levels: Sequence[Level] = field(default=())

    def level(self) -> Level:
        """The level of this difficulty, else the highest below, else an empty one."""
        below = (level for level in self.levels if level.difficulty <= self.difficulty)
        return max(below, key=lambda level: level.difficulty, default=Level())

    def played(self) -> Level:
        return self.level().between(self.start, self.end)


def hardest(levels: Sequence[Level], windows: Sequence[tuple[float, int]]) -> Level:
    """The chart that is played. ``windows``: start and hardest difficulty of each passage; the
    first one reaches back to the beginning, the last one to the end."""
    if len(levels) == 1:
        return levels[0]
    if not windows:
        return max(levels, key=Level.count, default=Level())
    return merged(window.played() for window in spans(levels, windows))


def spans(levels: Sequence[Level], windows: Sequence[tuple[float, int]]) -> list[Window]:
    """Each passage with its end."""
    ordered = sorted(windows, key=lambda window: window[0])
    starts = [-math.inf, *(start for start, _ in ordered[1:]), math.inf]
    return [
        Window(starts[i], starts[i + 1], difficulty, levels)
        for i, (_, difficulty) in enumerate(ordered)
    ]


def merged(parts: Iterable[Level]) -> Level:
    """One after the other."""
    found = list(parts)
    return Level(
        0,
        sorted((n for part in found for n in part.notes), key=lambda n: (n["t"], n["s"])),
        sorted((c for part in found for c in part.chords), key=lambda c: c["t"]),
        sorted((a for part in found for a in part.anchors), key=lambda a: a["time"]),
        sorted((h for part in found for h in part.hand_shapes), key=lambda h: h["startTime"]),
    )


def _between(items: Sequence[Item], key: str, start: float, end: float) -> Sequence[Item]:
    low = bisect_left(items, start, key=itemgetter(key))
    return items[low : bisect_left(items, end, lo=low, key=itemgetter(key))]
