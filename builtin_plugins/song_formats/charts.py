"""Pieces of a chart: what stands in a file, and what goes out (songs contract, 8.1 and 8.2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.song_formats.values import first, flag, items, number, objects, text, whole

__all__ = [
    "MAX_STRINGS",
    "Item",
    "anchors",
    "beats",
    "by_time",
    "chord_templates",
    "chords",
    "folded_lyrics",
    "hand_shapes",
    "lyrics",
    "notes",
    "numbered_sections",
    "sections",
    "template_notes",
    "tone_changes",
]

Item = dict[str, Any]

DEFAULT_WIDTH: Final = 4
MAX_STRINGS: Final = 12

_NUMBERS: Final = (
    ("sus", ("sus",), 0),
    ("sl", ("sl",), -1),
    ("sl2", ("slu", "sl2"), -1),
    ("bn", ("bn",), 0),
    ("rh", ("rh",), -1),
    ("pkd", ("pkd",), -1),
    ("fg", ("fg",), -1),
    ("ch", ("ch",), -1),
    ("sd", ("sd",), -1),
    ("bt", ("bt",), 0),
)
_FLAGS: Final = (
    ("ho", ("ho",)),
    ("po", ("po",)),
    ("harm", ("hm", "harm")),
    ("pharm", ("hp", "pharm")),
    ("mute", ("pm", "mute")),
    ("mt", ("mt", "mu")),
    ("vib", ("vb", "vib")),
    ("tap", ("tp", "tap")),
    ("tr", ("tr",)),
    ("ac", ("ac",)),
    ("ln", ("ln",)),
    ("fhm", ("fhm",)),
    ("plk", ("plk",)),
    ("slp", ("slp",)),
    ("ig", ("ig",)),
)
# By the name in the file: what it means, how early it is asked, and its default.
_READ: Final[Mapping[str, tuple[str, int, int | None]]] = {
    **{n: (out, i, default) for out, names, default in _NUMBERS for i, n in enumerate(names)},
    **{n: (out, i, None) for out, names in _FLAGS for i, n in enumerate(names)},
}


def by_time(found: Iterable[Item], key: str = "t") -> list[Item]:
    return sorted(found, key=lambda item: item[key])


def notes(value: Any) -> list[Item]:
    """By time, then string; those without a valid time, string and fret are left out."""
    found = (_note(each, timed=True) for each in objects(value))
    return sorted((n for n in found if n is not None), key=lambda n: (n["t"], n["s"]))


def chords(value: Any, templates: Sequence[Item]) -> list[Item]:
    """By time. One without notes gets those of its template, which all such chords share: there
    may be very many."""
    shared: dict[int, list[Item]] = {}
    found = (_chord(each, templates, shared) for each in objects(value))
    return by_time(chord for chord in found if chord is not None)


def template_notes(templates: Sequence[Item], index: int) -> list[Item]:
    """One note per fret >= 0 of the template (songs contract, 8.3.4)."""
    if not 0 <= index < len(templates):
        return []
    frets = templates[index]["frets"][:MAX_STRINGS]
    return [{"s": string, "f": fret} for string, fret in enumerate(frets) if fret >= 0]


def _chord(item: Item, templates: Sequence[Item], shared: dict[int, list[Item]]) -> Item | None:
    time = number(item.get("t"))
    if time is None:
        return None
    identity = whole(item.get("id"))
    index = -1 if identity is None else identity
    played = [_note(each, timed=False) for each in objects(item.get("notes"))]
    valid = [note for note in played if note is not None]
    chord: Item = {"t": time, "id": index}
    if flag(item.get("hd")):
        chord["hd"] = True
    if not valid and index not in shared:
        shared[index] = template_notes(templates, index)
    chord["notes"] = valid or shared[index]
    return chord


def _note(item: Item, *, timed: bool) -> Item | None:
    string, fret = whole(item.get("s"), 0), whole(item.get("f"), 0)
    time = number(item.get("t")) if timed else None
    if string is None or fret is None or (timed and time is None):
        return None
    note: Item = {"t": time, "s": string, "f": fret} if timed else {"s": string, "f": fret}
    if len(item) > len(note):
        _techniques(item, note)
    return note


def _techniques(item: Item, note: Item) -> None:
    """Adds what is not at its default. Of two spellings that are both there, the first wins; what
    is no finite number is not there."""
    seen: dict[str, int] = {}
    for name, value in item.items():
        known = _READ.get(name)
        if known is None or value is None or _is_endless(value):
            continue
        out, place, default = known
        if seen.get(out, place) < place:
            continue
        seen[out] = place
        if default is None:
            found: Any = True if flag(value) else None
        else:
            found = number(value)
        if found is None or found == default:
            note.pop(out, None)
        else:
            note[out] = found
    if "bnv" in item and (curve := list(_curve(item["bnv"]))):
        note["bnv"] = curve


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _curve(value: Any) -> Iterator[Item]:
    for point in objects(value):
        time, semitones = number(point.get("t")), number(point.get("v"))
        if time is not None and semitones is not None:
            yield {"t": time, "v": semitones}


def chord_templates(value: Any) -> list[Item]:
    """In the order of the file, so that ids stay."""
    return [_template(each if isinstance(each, dict) else {}) for each in items(value)]


def _template(item: Item) -> Item:
    name = text(item.get("name")) or ""
    frets = _fingering(item.get("frets"), 6)
    return {
        "name": name,
        "displayName": text(item.get("displayName")) or name,
        "frets": frets,
        "fingers": _fingering(item.get("fingers"), len(frets)),
        "arpeggio": flag(first(item, "arp", "arpeggio")),
    }


def _fingering(value: Any, length: int) -> list[int]:
    found = [-1 if (n := whole(each)) is None else n for each in items(value)]
    return found or [-1] * length


def anchors(value: Any) -> list[Item]:
    found = []
    for item in objects(value):
        time, fret = number(first(item, "time", "t")), whole(item.get("fret"))
        if time is None or fret is None:
            continue
        width = number(item.get("width"))
        found.append(
            {"time": time, "fret": fret, "width": DEFAULT_WIDTH if width is None else width}
        )
    return by_time(found, "time")


def hand_shapes(value: Any) -> list[Item]:
    found = []
    for item in objects(value):
        chord = whole(first(item, "chord_id", "id"))
        start = number(first(item, "start_time", "st"))
        end = number(first(item, "end_time", "et"))
        if chord is None or start is None or end is None:
            continue
        shape: Item = {"chordId": chord, "startTime": start, "endTime": end}
        if flag(item.get("arp")):
            shape["arpeggio"] = True
        found.append(shape)
    return by_time(found, "startTime")


def beats(value: Any) -> list[Item]:
    found = []
    for item in objects(value):
        time, measure = number(item.get("time")), whole(item.get("measure"))
        if time is not None:
            found.append({"time": time, "measure": -1 if measure is None else measure})
    return by_time(found, "time")


def sections(value: Any) -> list[Item]:
    found = []
    for item in objects(value):
        time = number(first(item, "time", "start_time"))
        if time is not None:
            name = text(item.get("name")) or ""
            found.append({"name": name, "number": whole(item.get("number")), "time": time})
    return numbered_sections(found)


def numbered_sections(found: Iterable[Item]) -> list[Item]:
    """By time; one without a number gets how many of its name there were so far."""
    ordered = by_time(found, "time")
    count: Counter[str] = Counter()
    for section in ordered:
        count[section["name"]] += 1
        if section["number"] is None:
            section["number"] = count[section["name"]]
    return ordered


def tone_changes(value: Any) -> list[Item]:
    found = []
    for item in objects(value):
        time, name = number(first(item, "t", "time")), text(item.get("name"))
        if time is not None and name is not None:
            found.append({"time": time, "name": name})
    return by_time(found, "time")


def lyrics(value: Any) -> list[Item]:
    """Syllables of a lyrics file (songs contract, 8.3.9)."""
    found = []
    for item in objects(value):
        time, duration, word = number(item.get("t")), number(item.get("d")), text(item.get("w"))
        if time is not None and duration is not None and word is not None:
            found.append({"t": time, "d": duration, "w": word})
    return folded_lyrics(found)


def folded_lyrics(found: Iterable[Item]) -> list[Item]:
    """By time; an entry that is only the end of a line belongs to the one before."""
    folded: list[Item] = []
    for entry in by_time(found):
        if entry["w"] != "+":
            folded.append(entry)
        elif folded:
            folded[-1] = {**folded[-1], "w": folded[-1]["w"] + "+"}
    return folded
