"""Charts of songs: what a highway draws, and the words for tunings and arrangements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

__all__ = ["SongChart", "arrangement_rank", "tuning_name", "tuning_sort_key"]

_RANKS: Final = {"lead": 0, "combo": 1, "rhythm": 2, "bass": 3}
_STANDARD: Final = {
    0: "E",
    -1: "Eb",
    -2: "D",
    -3: "C#",
    -4: "C",
    -5: "B",
    -6: "Bb",
    -7: "A",
    1: "F",
    2: "F#",
}
_DROP: Final = ("E", "F", "F#", "G", "Ab", "A", "Bb", "B", "C", "C#", "D", "Eb")
_OPEN: Final[Mapping[tuple[int, ...], str]] = {
    (-2, -2, 0, 0, 0, 0): "Double Drop D",
    (-2, 0, 0, 0, 0, -2): "Double Drop D",
    (0, 0, 0, -1, 0, 0): "Open G",
    (-2, -2, 0, 0, 0, -2): "Open G",
    (-2, -2, 0, 0, -2, -2): "Open D",
    (-2, 0, 0, -1, -2, -2): "Open D",
    (-2, 0, 0, 0, -2, 0): "DADGAD",
    (-2, 0, 0, 0, -2, -2): "DADGAD",
    (0, 2, 2, 1, 0, 0): "Open E",
    (-2, 0, 0, 2, 3, 2): "Open D (alt)",
}


@dataclass(frozen=True, slots=True)
class SongChart:
    """The chart of one arrangement, ready to be sent (songs contract, section 8).

    Every item is a mapping of JSON values in the outgoing spelling: notes ``{t, s, f, sus?, …}``
    (8.2), chords ``{t, id, hd?, notes}``, anchors ``{time, fret, width}``, hand shapes
    ``{chordId, startTime, endTime, arpeggio?}``, templates ``{name, displayName, frets, fingers,
    arpeggio}``, beats ``{time, measure}``, sections ``{name, number, time}``, phrases ``{name,
    maxDifficulty, disparity, solo, ignore, startTime, endTime, levels?}``, lyrics ``{t, d, w}``,
    tone changes ``{time, name}``. Times are finite seconds, lists are in order of time.
    ``tuning`` holds semitones from standard, lowest string first. ``None`` means that the source
    has none, which the highway leaves out.
    """

    tuning: tuple[int, ...] = (0, 0, 0, 0, 0, 0)
    capo: int = 0
    cent_offset: float = 0
    notes: Sequence[Mapping[str, Any]] = ()
    chords: Sequence[Mapping[str, Any]] = ()
    anchors: Sequence[Mapping[str, Any]] = ()
    hand_shapes: Sequence[Mapping[str, Any]] = ()
    chord_templates: Sequence[Mapping[str, Any]] = ()
    beats: Sequence[Mapping[str, Any]] = ()
    sections: Sequence[Mapping[str, Any]] = ()
    phrases: Sequence[Mapping[str, Any]] | None = None
    lyrics: Sequence[Mapping[str, Any]] | None = None
    tone_base: str | None = None
    tone_changes: Sequence[Mapping[str, Any]] | None = None

    def count(self) -> int:
        """Single notes and chords; a chord counts once (songs contract, 3.1)."""
        return len(self.notes) + len(self.chords)

    def string_count(self, arrangement_name: str) -> int:
        """How many strings the highway draws (songs contract, 8.1)."""
        assumed = 4 if "bass" in arrangement_name.casefold() else 6
        stated = len(self.tuning) if len(self.tuning) != 6 else assumed
        played: Iterable[Mapping[str, Any]] = chain(
            self.notes, chain.from_iterable(chord["notes"] for chord in self.chords)
        )
        return max(stated, max((note["s"] for note in played), default=-1) + 1)

    def document(self) -> dict[str, Any]:
        """All keys of the highway but ``song``, those without content left out as 8.1 says."""
        found: dict[str, Any] = {
            "notes": self.notes,
            "chords": self.chords,
            "anchors": self.anchors,
            "handShapes": self.hand_shapes,
            "chordTemplates": self.chord_templates,
            "beats": self.beats,
            "sections": self.sections,
        }
        optional = {
            "phrases": self.phrases,
            "lyrics": self.lyrics,
            "toneBase": self.tone_base,
            "toneChanges": self.tone_changes,
        }
        return found | {key: value for key, value in optional.items() if value}


def tuning_name(offsets: Sequence[int]) -> str:
    """What players call a tuning, given in semitones from standard, lowest string first
    (songs contract, section 10)::

        tuning_name([-2, 0, 0, 0, 0, 0])  # Drop D
    """
    if not offsets:
        return "Unknown"
    if len(offsets) in (4, 6):
        lowest, rest = offsets[0], set(offsets[1:])
        if rest == {lowest} and lowest in _STANDARD:
            return f"{_STANDARD[lowest]} Standard"
        if rest == {lowest + 2}:
            return f"Drop {_DROP[lowest % 12]}"
        if tuple(offsets) in _OPEN:
            return _OPEN[tuple(offsets)]
    return " ".join(map(str, offsets))


def tuning_sort_key(offsets: Sequence[int]) -> int:
    """The sum, scaled to six strings and rounded half away from zero, so that instruments with
    another number of strings stand beside each other (songs contract, section 10)."""
    if not offsets:
        return 0
    total, count = sum(offsets), len(offsets)
    size = (12 * abs(total) + count) // (2 * count)
    return size if total >= 0 else -size


def arrangement_rank(name: str) -> int:
    """Sort arrangements by it, stably: Lead, Combo, Rhythm, Bass, then all others (songs
    contract, 9.3)."""
    return _RANKS.get(name.casefold(), len(_RANKS))
