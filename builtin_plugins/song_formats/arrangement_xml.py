"""Charts and lyrics in XML (songs contract, section 11)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from builtin_plugins.song_formats.charts import (
    DEFAULT_WIDTH,
    MAX_STRINGS,
    Item,
    by_time,
    folded_lyrics,
    numbered_sections,
    template_notes,
)
from builtin_plugins.song_formats.levels import Level
from builtin_plugins.song_formats.scores import Phrase, Score, is_arpeggio
from builtin_plugins.song_formats.values import clean_text
from builtin_plugins.song_formats.xml_text import Element, children, parse_xml
from plugin_sdk import UnreadableSong

__all__ = ["read_arrangement", "read_vocals"]

_NUMBERS: Final = (
    ("sustain", "sus", 0),
    ("slideTo", "sl", -1),
    ("slideUnpitchTo", "sl2", -1),
    ("bend", "bn", 0),
    ("rightHand", "rh", -1),
    ("pickDirection", "pkd", -1),
)
_FLAGS: Final = (
    ("hammerOn", "ho"),
    ("pullOff", "po"),
    ("harmonic", "harm"),
    ("harmonicPinch", "pharm"),
    ("palmMute", "mute"),
    ("mute", "mt"),
    ("vibrato", "vib"),
    ("tremolo", "tr"),
    ("accent", "ac"),
    ("linkNext", "ln"),
    ("tap", "tap"),
    ("fretHandMute", "fhm"),
    ("pluck", "plk"),
    ("slap", "slp"),
    ("ignore", "ig"),
)
_CHORD_FLAGS: Final = (
    ("palmMute", "mute"),
    ("mute", "mt"),
    ("fretHandMute", "fhm"),
    ("accent", "ac"),
)
_MINUS_ONE_IS_UNSET: Final = frozenset({"pluck", "slap"})
_ARPEGGIO: Final = ("arpeggio", "Arpeggio", "arp", "Arp")
_HIGH_DENSITY: Final = ("highDensity", "highdensity", "HighDensity")

Attributes = Mapping[str, str]


def read_arrangement(content: bytes, name: str) -> Score:
    """Raises UnreadableSong for what is no XML, is refused, or has another root than ``song``."""
    root = parse_xml(content, name)
    if root.tag != "song":
        raise UnreadableSong(f"{name} is no arrangement: its root is not <song>")
    templates = [_template(each) for each in children(root, "chordTemplates/chordTemplate")]
    levels = [_level(each, templates) for each in children(root, "levels/level")]
    return Score(
        levels=levels,
        phrases=[_phrase(each) for each in children(root, "phrases/phrase")],
        iterations=_iterations(root),
        templates=templates,
        beats=_beats(root),
        sections=_sections(root),
        tuning=_tuning(root.find("tuning")),
        capo=max(0, _integer(_stated(root, "capo")) or 0),
        cent_offset=_number(_stated(root, "centOffset")) or 0,
        tone_base=_stated(root, "tonebase") or None,
        tone_changes=_tones(root),
        length=max(0.0, _number(_stated(root, "songLength")) or 0.0),
        title=_stated(root, "title"),
        artist=_stated(root, "artistName"),
        album=_stated(root, "albumName"),
        year=_stated(root, "albumYear"),
        arrangement=_stated(root, "arrangement"),
    )


def read_vocals(content: bytes, name: str) -> list[Item]:
    """Syllables, ready to be sent. Raises UnreadableSong."""
    root = parse_xml(content, name)
    if root.tag != "vocals":
        raise UnreadableSong(f"{name} holds no lyrics: its root is not <vocals>")
    found = []
    for each in children(root, "vocal"):
        time, length = _number(each.get("time")), _number(each.get("length"))
        word = each.get("lyric")
        if time is not None and word is not None:
            found.append({"t": time, "d": length or 0, "w": clean_text(word)})
    return folded_lyrics(found)


def _stated(root: Element, name: str) -> str:
    """The text of a child, or of an attribute of that name; empty when neither is there."""
    child = root.find(name)
    inside = (child.text or "").strip() if child is not None else ""
    return clean_text(inside or root.get(name, "").strip())


def _number(value: str | None) -> float | None:
    """Finite; blank ones, ``nan`` and other words are none."""
    try:
        found = float(value) if value else math.nan
    except ValueError:
        return None
    if not math.isfinite(found):
        return None
    return int(found) if found.is_integer() and abs(found) < 2**53 and "." not in value else found  # type: ignore[operator]


def _integer(value: str | None) -> int | None:
    found = _number(value)
    return int(found) if found is not None and found == int(found) and abs(found) < 2**53 else None


def _is_set(attributes: Attributes, name: str) -> bool:
    value = attributes.get(name, "").strip().lower()
    unset = {"", "0", "false", "-1"} if name in _MINUS_ONE_IS_UNSET else {"", "0", "false"}
    return value not in unset


def _any_set(attributes: Attributes, names: Iterable[str]) -> bool:
    return any(_is_set(attributes, name) for name in names)


def _tuning(element: Element | None) -> tuple[int, ...] | None:
    """As many strings as are stated, at least six."""
    if element is None:
        return None
    found = [_integer(element.get(f"string{i}")) for i in range(MAX_STRINGS)]
    count = max((i + 1 for i, each in enumerate(found) if each is not None), default=0)
    if not count:
        return None
    return tuple(_bounded(each) for each in found[: max(6, count)])


def _bounded(value: int | None) -> int:
    return value if value is not None and abs(value) <= 99 else 0


def _beats(root: Element) -> list[Item]:
    found = []
    for each in children(root, "ebeats/ebeat"):
        time, measure = _number(each.get("time")), _integer(each.get("measure"))
        if time is not None:
            found.append({"time": time, "measure": -1 if measure is None else measure})
    return by_time(found, "time")


def _sections(root: Element) -> list[Item]:
    found = []
    for each in children(root, "sections/section"):
        time = _number(each.get("startTime"))
        if time is not None:
            name = clean_text(each.get("name", ""))
            found.append({"name": name, "number": _integer(each.get("number")), "time": time})
    return numbered_sections(found)


def _tones(root: Element) -> list[Item]:
    found = []
    for each in children(root, "tones/tone"):
        time, name = _number(each.get("time")), clean_text(each.get("name", ""))
        if time is not None and name:
            found.append({"time": time, "name": name})
    return by_time(found, "time")


def _template(element: Element) -> Item:
    name = clean_text(element.get("chordName", ""))
    shown = clean_text(element.get("displayName", ""))
    frets = _numbered(element, "fret")
    return {
        "name": name,
        "displayName": shown if shown.strip() else name,
        "frets": frets,
        "fingers": _numbered(element, "finger", len(frets)),
        "arpeggio": _any_set(element.attrib, _ARPEGGIO) or is_arpeggio(shown),
    }


def _numbered(element: Element, prefix: str, least: int = 6) -> list[int]:
    """Attributes ``fret0``, ``fret1``, …; absent ones are -1."""
    found = [_integer(element.get(f"{prefix}{i}")) for i in range(MAX_STRINGS)]
    count = max((i + 1 for i, each in enumerate(found) if each is not None), default=0)
    return [-1 if each is None else each for each in found[: max(least, count)]]


def _phrase(element: Element) -> Phrase:
    attributes = element.attrib
    return Phrase(
        clean_text(attributes.get("name", "")),
        _integer(attributes.get("maxDifficulty")) or 0,
        _is_set(attributes, "disparity"),
        _is_set(attributes, "solo"),
        _is_set(attributes, "ignore"),
    )


def _iterations(root: Element) -> list[tuple[float, int]]:
    found = []
    for each in children(root, "phraseIterations/phraseIteration"):
        time, phrase = _number(each.get("time")), _integer(each.get("phraseId"))
        if time is not None:
            found.append((time, -1 if phrase is None else phrase))
    return sorted(found)


def _level(element: Element, templates: list[Item]) -> Level:
    notes = (_note(each.attrib, timed=True) for each in children(element, "notes/note"))
    chords = (_chord(each, templates) for each in children(element, "chords/chord"))
    return Level(
        _integer(element.get("difficulty")) or 0,
        sorted((n for n in notes if n is not None), key=lambda n: (n["t"], n["s"])),
        by_time(chord for chord in chords if chord is not None),
        _anchors(element),
        _hand_shapes(element, templates),
    )


def _note(attributes: Attributes, *, timed: bool) -> Item | None:
    string, fret = _integer(attributes.get("string")), _integer(attributes.get("fret"))
    time = _number(attributes.get("time")) if timed else None
    if string is None or fret is None or min(string, fret) < 0 or (timed and time is None):
        return None
    note: Item = {"t": time, "s": string, "f": fret} if timed else {"s": string, "f": fret}
    for name, out, default in _NUMBERS:
        if name in attributes:
            found = _number(attributes[name])
            if found is not None and found != default:
                note[out] = found
    for name, out in _FLAGS:
        if name in attributes and _is_set(attributes, name):
            note[out] = True
    return note


def _chord(element: Element, templates: list[Item]) -> Item | None:
    attributes = element.attrib
    time = _number(attributes.get("time"))
    if time is None:
        return None
    identity = _integer(attributes.get("chordId"))
    chord: Item = {"t": time, "id": -1 if identity is None else identity}
    if _any_set(attributes, _HIGH_DENSITY):
        chord["hd"] = True
    flags = [(name, out) for name, out in _CHORD_FLAGS if _is_set(attributes, name)]
    notes = [_chord_note(each.attrib, flags) for each in children(element, "chordNote")]
    played = [note for note in notes if note is not None]
    if not notes:
        inherited: Item = {out: True for _, out in flags}
        played = [{**note, **inherited} for note in template_notes(templates, chord["id"])]
    chord["notes"] = played
    return chord


def _chord_note(attributes: Attributes, flags: list[tuple[str, str]]) -> Item | None:
    """With the chord's flags where it does not state its own."""
    note = _note(attributes, timed=False)
    if note is not None:
        note.update({out: True for name, out in flags if name not in attributes})
    return note


def _anchors(level: Element) -> list[Item]:
    found = []
    for each in children(level, "anchors/anchor"):
        time, fret = _number(each.get("time")), _integer(each.get("fret"))
        if time is not None and fret is not None:
            width = _number(each.get("width"))
            width = DEFAULT_WIDTH if width is None else width
            found.append({"time": time, "fret": fret, "width": width})
    return by_time(found, "time")


def _hand_shapes(level: Element, templates: list[Item]) -> list[Item]:
    found = []
    for each in children(level, "handShapes/handShape"):
        chord = _integer(each.get("chordId"))
        start, end = _number(each.get("startTime")), _number(each.get("endTime"))
        if chord is None or start is None or end is None:
            continue
        shape: Item = {"chordId": chord, "startTime": start, "endTime": end}
        of_template = 0 <= chord < len(templates) and templates[chord]["arpeggio"]
        if of_template or _any_set(each.attrib, _ARPEGGIO):
            shape["arpeggio"] = True
        found.append(shape)
    return by_time(found, "startTime")
