"""What XML and binary charts have in common: levels, phrases and templates, made into a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builtin_plugins.song_formats.charts import Item
from builtin_plugins.song_formats.levels import Level, hardest, spans
from plugin_sdk import SongChart

__all__ = ["Phrase", "Score", "is_arpeggio"]

_MAX_PASSAGES = 200_000
"""Levels times iterations; charts that people play have some thousands. A small file can state
so many of both that no memory holds the product."""


@dataclass(frozen=True, slots=True)
class Phrase:
    name: str = ""
    max_difficulty: int = 0
    disparity: bool = False
    solo: bool = False
    ignore: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """An arrangement with all its levels. ``iterations``: start and index of the phrase, by time.
    ``tuning`` is None when the source states none."""

    levels: Sequence[Level] = ()
    phrases: Sequence[Phrase] = ()
    iterations: Sequence[tuple[float, int]] = ()
    templates: Sequence[Item] = ()
    beats: Sequence[Item] = ()
    sections: Sequence[Item] = ()
    tuning: tuple[int, ...] | None = None
    capo: int = 0
    cent_offset: float = 0
    tone_base: str | None = None
    tone_changes: Sequence[Item] = ()
    length: float = 0
    title: str = ""
    artist: str = ""
    album: str = ""
    year: str = ""
    arrangement: str = ""

    def chart(self, lyrics: Sequence[Item] = ()) -> SongChart:
        """What is played: the hardest level of each passage (songs contract, section 11)."""
        played = self._played()
        return SongChart(
            tuning=self.tuning or (0,) * 6,
            capo=self.capo,
            cent_offset=self.cent_offset,
            notes=played.notes,
            chords=played.chords,
            anchors=played.anchors,
            hand_shapes=played.hand_shapes,
            chord_templates=self.templates,
            beats=self.beats,
            sections=self.sections,
            phrases=self._phrases() or None,
            lyrics=list(lyrics) or None,
            tone_base=self.tone_base or None,
            tone_changes=list(self.tone_changes) or None,
        )

    def count(self) -> int:
        """Notes and chords of the chart, without making all of it."""
        return self._played().count()

    def _played(self) -> Level:
        return hardest(self.levels, self._windows())

    def _phrase(self, index: int) -> Phrase:
        if 0 <= index < len(self.phrases):
            return self.phrases[index]
        top = max((level.difficulty for level in self.levels), default=0)
        return Phrase(max_difficulty=top)

    def _windows(self) -> list[tuple[float, int]]:
        if not self.phrases:  # then iterations say nothing
            return []
        return [(start, self._phrase(index).max_difficulty) for start, index in self.iterations]

    def _phrases(self) -> list[Item]:
        """One for each iteration, and only when there is more than one level to choose from."""
        if len(self.levels) < 2 or not self.phrases:
            return []
        if len(self.levels) * len(self.iterations) > _MAX_PASSAGES:
            return []
        ordered = sorted(self.iterations, key=lambda each: each[0])
        ends = [start for start, _ in ordered[1:]]
        if ordered:
            ends.append(max(self.length, ordered[-1][0]))
        windows = spans(self.levels, self._windows())
        found = []
        for (start, index), end, window in zip(ordered, ends, windows, strict=True):
            phrase = self._phrase(index)
            levels = [
                level.between(window.start, window.end).document()
                for level in sorted(self.levels, key=lambda level: level.difficulty)
                if level.difficulty <= phrase.max_difficulty
            ]
            found.append(
                {
                    "name": phrase.name,
                    "maxDifficulty": phrase.max_difficulty,
                    "disparity": phrase.disparity,
                    "solo": phrase.solo,
                    "ignore": phrase.ignore,
                    "startTime": start,
                    "endTime": end,
                    "levels": levels,
                }
            )
        return found


def is_arpeggio(display_name: str) -> bool:
    """Whether a template's shown name says so (songs contract, section 11)."""
    lowered = display_name.lower()
    return lowered.endswith("-arp") or "arpeggio" in lowered
