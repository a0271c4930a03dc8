"""An arrangement of a pack, from its JSON (songs contract, 8.3 and 9.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from builtin_plugins.song_formats import charts
from builtin_plugins.song_formats.charts import Item
from builtin_plugins.song_formats.levels import Level, Window, merged
from builtin_plugins.song_formats.manifest import ManifestArrangement, parse_tuning
from builtin_plugins.song_formats.values import first, flag, number, objects, text, whole
from plugin_sdk import SongChart, UnreadableSong

__all__ = ["Timeline", "arrangement_chart", "own_timeline", "side_timeline"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What all arrangements of a song share."""

    beats: tuple[Item, ...] = ()
    sections: tuple[Item, ...] = ()


def own_timeline(document: Any) -> Timeline:
    """What an arrangement itself says."""
    if not isinstance(document, dict):
        return Timeline()
    beats, sections = charts.beats(document.get("beats")), charts.sections(document.get("sections"))
    return Timeline(tuple(beats), tuple(sections))


def side_timeline(document: Any) -> Timeline:
    """What the ``song_timeline`` file says; nothing unless it is a valid one of version 1."""
    if isinstance(document, dict) and whole(document.get("version")) == 1:
        return own_timeline(document)
    return Timeline()


def arrangement_chart(document: Any, entry: ManifestArrangement) -> SongChart:
    """The chart without what all arrangements share. What the manifest says overrides the file.
    Raises UnreadableSong when the document is no object."""
    if not isinstance(document, dict):
        raise UnreadableSong(f"{entry.file} is no JSON object")
    templates = charts.chord_templates(first(document, "templates", "chord_templates"))
    played = _level(document, templates)
    phrases = _phrases(document.get("phrases"), templates)
    if not played.count():
        played = _from_phrases(played, phrases)
    tones = stated if isinstance(stated := document.get("tones"), dict) else {}
    changes = charts.tone_changes(first(tones, "changes") or document.get("tone_changes"))
    cents = number(document.get("centOffset"))
    return SongChart(
        tuning=entry.tuning or parse_tuning(document.get("tuning")) or (0,) * 6,
        capo=entry.capo if entry.capo is not None else whole(document.get("capo"), 0) or 0,
        cent_offset=entry.cent_offset if entry.cent_offset is not None else cents or 0,
        notes=played.notes,
        chords=played.chords,
        anchors=played.anchors,
        hand_shapes=played.hand_shapes,
        chord_templates=templates,
        phrases=[_phrase(item, levels) for item, levels in phrases] or None,
        tone_base=text(tones.get("base")) or None,
        tone_changes=changes or None,
    )


def _level(item: Item, templates: list[Item]) -> Level:
    return Level(
        difficulty=whole(item.get("difficulty")) or 0,
        notes=charts.notes(item.get("notes")),
        chords=charts.chords(item.get("chords"), templates),
        anchors=charts.anchors(item.get("anchors")),
        hand_shapes=charts.hand_shapes(first(item, "handshapes", "hand_shapes")),
    )


def _phrases(value: Any, templates: list[Item]) -> list[tuple[Item, list[Level] | None]]:
    """Phrases by time, each with its levels, or None when it says nothing of levels."""
    found = []
    for item in objects(value):
        start = number(first(item, "start_time", "startTime"))
        end = number(first(item, "end_time", "endTime"))
        if start is None:
            continue
        phrase: Item = {
            "name": text(item.get("name")) or "",
            "maxDifficulty": whole(first(item, "max_difficulty", "maxDifficulty")) or 0,
            "disparity": flag(item.get("disparity")),
            "solo": flag(item.get("solo")),
            "ignore": flag(item.get("ignore")),
            "startTime": start,
            "endTime": start if end is None else end,
        }
        raw = item.get("levels")
        levels = None if raw is None else [_level(each, templates) for each in objects(raw)]
        found.append((phrase, levels))
    return sorted(found, key=lambda each: each[0]["startTime"])


def _phrase(item: Item, levels: list[Level] | None) -> Item:
    if levels is None:
        return item
    return {**item, "levels": [level.document() for level in levels]}


def _from_phrases(stated: Level, phrases: list[tuple[Item, list[Level] | None]]) -> Level:
    """The hardest level of each phrase, for arrangements that keep their notes there alone
    (songs contract, 8.3.5). Anchors and hand shapes of the arrangement itself stay."""
    found = merged(
        Window(item["startTime"], item["endTime"], item["maxDifficulty"], levels).played()
        for item, levels in phrases
        if levels
    )
    return replace(
        found,
        anchors=stated.anchors or found.anchors,
        hand_shapes=stated.hand_shapes or found.hand_shapes,
    )
