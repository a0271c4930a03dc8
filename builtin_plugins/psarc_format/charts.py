"""From the records of a binary chart to the levels that a chart is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from builtin_plugins.psarc_format.sng import Fields, Sng, SngLevel, string_bends
from plugin_sdk import SongChart

__all__ = ["Item", "Score", "Tools", "sng_lyrics", "sng_score"]

Item = dict[str, Any]

_FLAGS: Final = (
    (0x0000_0008, "fhm"),
    (0x0000_0010, "tr"),
    (0x0000_0020, "harm"),
    (0x0000_0040, "mute"),
    (0x0000_0080, "slp"),
    (0x0000_0100, "plk"),
    (0x0000_0200, "ho"),
    (0x0000_0400, "po"),
    (0x0000_4000, "tap"),
    (0x0000_8000, "pharm"),
    (0x0001_0000, "vib"),
    (0x0002_0000, "mt"),
    (0x0004_0000, "ig"),
    (0x0400_0000, "ac"),
    (0x0800_0000, "ln"),
)
_PASSED_ON: Final = (0x8, 0x40, 0x2_0000, 0x400_0000)
"""What a chord says of all its notes: fret-hand mute, palm mute, mute, accent."""
_HIGH_DENSITY: Final = 0x20_0000
_FIRST_BEAT: Final = 0x1
_ARPEGGIO: Final = 0x1


class Score(Protocol):
    """An arrangement with all its levels, made by `Tools`."""

    @property
    def title(self) -> str: ...
    @property
    def artist(self) -> str: ...
    @property
    def album(self) -> str: ...
    @property
    def year(self) -> str: ...
    @property
    def arrangement(self) -> str: ...
    @property
    def length(self) -> float: ...
    @property
    def tuning(self) -> tuple[int, ...] | None: ...
    def chart(self, lyrics: Sequence[Item] = ()) -> SongChart: ...
    def count(self) -> int: ...


class Tools(Protocol):
    """What this plugin uses of the service ``song_formats.tools``."""

    def read_xml(self, content: bytes, name: str) -> Score: ...
    def read_vocals_xml(self, content: bytes, name: str) -> list[Item]: ...
    def level(self, difficulty: int, **lists: Sequence[Item]) -> Any: ...
    def phrase(self, name: str, max_difficulty: int, **flags: bool) -> Any: ...
    def score(self, **parts: Any) -> Score: ...
    def sections(self, found: Sequence[Item]) -> list[Item]: ...
    def lyrics(self, found: Sequence[Item]) -> list[Item]: ...
    def is_arpeggio(self, display_name: str) -> bool: ...
    def wem_type(self) -> str | None: ...
    def convert_wem(self, source: Path) -> BinaryIO: ...


def sng_lyrics(sng: Sng, tools: Tools) -> list[Item]:
    found = [
        {"t": time, "d": length if math.isfinite(length) else 0, "w": _text(word)}
        for time, _, length, word in sng.vocals
        if math.isfinite(time)
    ]
    return tools.lyrics(found)


def sng_score(sng: Sng, tools: Tools, tone_names: Sequence[str], tone_base: str) -> Score:
    """``tone_names``: by the numbers that the chart uses."""
    templates = [_template(each, tools) for each in sng.chords]
    return tools.score(
        levels=[_level(each, sng, templates, tools) for each in sng.levels],
        phrases=[
            tools.phrase(
                _text(name),
                hardest,
                solo=bool(solo),
                disparity=bool(disparity),
                ignore=bool(ignore),
            )
            for solo, disparity, ignore, _, hardest, _, name in sng.phrases
        ],
        iterations=sorted(
            (start, phrase) for phrase, start, *_ in sng.iterations if math.isfinite(start)
        ),
        templates=templates,
        beats=_by(
            "time",
            [
                {"time": time, "measure": measure if mask & _FIRST_BEAT else -1}
                for time, measure, _, _, mask in sng.beats
            ],
        ),
        sections=tools.sections(
            _finite(
                "time",
                [
                    {"name": _text(name), "number": number, "time": start}
                    for name, number, start, *_ in sng.sections
                ],
            )
        ),
        tuning=sng.tuning or None,
        capo=max(0, sng.capo),
        length=sng.length if math.isfinite(sng.length) and sng.length > 0 else 0.0,
        tone_base=tone_base or None,
        tone_changes=_by(
            "time",
            [
                {"time": time, "name": tone_names[number]}
                for time, number in sng.tones
                if 0 <= number < len(tone_names) and tone_names[number]
            ],
        ),
    )


def _template(fields: Fields, tools: Tools) -> Item:
    mask, name = fields[0], _text(fields[19])
    return {
        "name": name,
        "displayName": name,
        "frets": list(fields[1:7]),
        "fingers": list(fields[7:13]),
        "arpeggio": bool(mask & _ARPEGGIO) or tools.is_arpeggio(name),
    }


def _level(level: SngLevel, sng: Sng, templates: list[Item], tools: Tools) -> Any:
    notes: list[Item] = []
    chords: list[Item] = []
    for fields, bends in level.notes:
        if not math.isfinite(fields[3]):
            continue
        if fields[8] >= 0:
            chords.append(_chord(fields, sng, templates))
        elif fields[4] >= 0 and fields[5] >= 0:
            notes.append(_note(fields, bends))
    anchors = [{"time": a[0], "fret": a[4], "width": a[5]} for a in level.anchors]
    return tools.level(
        level.difficulty,
        notes=sorted(notes, key=lambda note: (note["t"], note["s"])),
        chords=_by("t", chords),
        anchors=_by("time", anchors),
        hand_shapes=_hand_shapes(level),
    )


def _hand_shapes(level: SngLevel) -> list[Item]:
    found: list[Item] = []
    for shapes, extra in ((level.shapes, {}), (level.arpeggios, {"arpeggio": True})):
        for chord, start, end, *_ in shapes:
            if math.isfinite(end):
                found.append({"chordId": chord, "startTime": start, "endTime": end, **extra})
    return _by("startTime", found)


def _note(fields: Fields, bends: list[Fields]) -> Item:
    note: Item = {"t": fields[3], "s": fields[4], "f": fields[5]}
    slide, slide_unpitched, pick, sustain, bend = (
        fields[17],
        fields[18],
        fields[21],
        fields[25],
        fields[26],
    )
    numbers = (
        ("sus", sustain, 0), ("sl", slide, -1), ("sl2", slide_unpitched, -1),
        ("bn", bend, 0), ("pkd", pick, -1),
    )  # fmt: skip
    for name, value, default in numbers:
        if math.isfinite(value) and value != default:
            note[name] = value
    _mark(note, fields[0])
    if curve := _curve(bends):
        note["bnv"] = curve
    return note


def _mark(note: Item, mask: int) -> None:
    for bit, name in _FLAGS:
        if mask & bit:
            note[name] = True


def _curve(bends: Sequence[Fields]) -> list[Item]:
    return [
        {"t": time, "v": step}
        for time, step, *_ in bends
        if math.isfinite(time) and math.isfinite(step)
    ]


def _chord(fields: Fields, sng: Sng, templates: list[Item]) -> Item:
    mask, time, identity, details = fields[0], fields[3], fields[8], fields[9]
    chord: Item = {"t": time, "id": identity}
    if mask & _HIGH_DENSITY:
        chord["hd"] = True
    frets = templates[identity]["frets"] if identity < len(templates) else []
    notes = [{"s": string, "f": fret} for string, fret in enumerate(frets) if fret >= 0]
    if 0 <= details < len(sng.chord_notes):
        _detail(notes, sng.chord_notes[details])
    else:
        inherited = sum(bit for bit in _PASSED_ON if mask & bit)
        for note in notes:
            _mark(note, inherited)
    chord["notes"] = notes
    return chord


def _detail(notes: list[Item], fields: Fields) -> None:
    """What the chart says of each string of a chord."""
    bends = list(string_bends(fields[6]))
    for note in notes:
        string = note["s"]
        slide, slide_unpitched = fields[7 + string], fields[13 + string]
        if slide != -1:
            note["sl"] = slide
        if slide_unpitched != -1:
            note["sl2"] = slide_unpitched
        if curve := _curve(bends[string]):
            note["bnv"] = curve
            if peak := max(point["v"] for point in curve):
                note["bn"] = peak
        _mark(note, fields[string])


def _finite(key: str, items: list[Item]) -> list[Item]:
    return [item for item in items if math.isfinite(item[key])]


def _by(key: str, items: list[Item]) -> list[Item]:
    return sorted(_finite(key, items), key=lambda item: item[key])


def _text(padded: bytes) -> str:
    return padded.split(b"\0", 1)[0].decode("utf-8", "replace")
