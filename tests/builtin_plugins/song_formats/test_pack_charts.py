"""From the files of a pack to the highway."""

from __future__ import annotations

import json

import pytest

from builtin_plugins.song_formats import charts
from builtin_plugins.song_formats.arrangement_json import arrangement_chart
from builtin_plugins.song_formats.json_text import parse_data
from builtin_plugins.song_formats.manifest import ManifestArrangement
from builtin_plugins.song_formats.sloppak import SloppakFormat
from plugin_sdk import NotFound, SongChart, UnreadableSong

FORMAT = SloppakFormat()
ENTRY = ManifestArrangement("lead", "Lead", "lead.json")


def chart_of(**document):
    return arrangement_chart(document, ENTRY)


@pytest.mark.parametrize(
    ("read", "out"),
    [
        ({"sus": 1.5}, {"sus": 1.5}),
        ({"sus": 0, "sl": -1, "bn": 0.0, "rh": -1}, {}),
        ({"slu": 7}, {"sl2": 7}),
        ({"sl2": 7}, {"sl2": 7}),
        ({"sl2": 7, "slu": 5}, {"sl2": 5}),
        ({"slu": None, "sl2": 7}, {"sl2": 7}),
        ({"hm": True}, {"harm": True}),
        ({"hm": False, "harm": True}, {}),
        ({"harm": True, "hm": False}, {}),
        ({"hp": 1}, {"pharm": True}),
        ({"pm": True}, {"mute": True}),
        ({"mute": True}, {"mute": True}),
        ({"mu": True}, {"mt": True}),
        ({"mt": 0, "mu": True}, {}),
        ({"vb": 1, "tp": 1}, {"vib": True, "tap": True}),
        ({"ho": "true", "po": [1], "tr": 0.5}, {"tr": True}),
        ({"bn": float("nan"), "sus": float("inf")}, {}),
        ({"slu": float("inf"), "sl2": 7}, {"sl2": 7}),
        ({"mute": True, "pm": float("inf")}, {"mute": True}),
        ({"bnv": [{"t": 1, "v": 2}, {"t": None, "v": 2}, 3]}, {"bnv": [{"t": 1, "v": 2}]}),
        ({"bnv": []}, {}),
        ({"fg": 2, "ch": 0, "sd": 5}, {"fg": 2, "ch": 0, "sd": 5}),
        ({"bt": 1, "pkd": 0}, {"bt": 1, "pkd": 0}),
        ({"unknown": 5, "ig": True}, {"ig": True}),
        ({"sus": 0.1234567890123}, {"sus": 0.1234567890123}),
    ],
    ids=str,
)  # fmt: skip
def test_notes_go_out_in_one_spelling(read, out):
    (note,) = charts.notes([{"t": 1.25, "s": 0, "f": 3, **read}])
    assert note == {"t": 1.25, "s": 0, "f": 3, **out}


@pytest.mark.parametrize(
    "note",
    [
        {"s": 0, "f": 0},
        {"t": "1", "s": 0, "f": 0},
        {"t": True, "s": 0, "f": 0},
        {"t": float("nan"), "s": 0, "f": 0},
        {"t": 1, "s": -1, "f": 0},
        {"t": 1, "s": 0, "f": 1.5},
        {"t": 1, "s": 0},
        {"t": 1, "s": 10**40, "f": 0},
        "note",
    ],
    ids=str,
)
def test_a_note_without_time_string_and_fret_is_dropped(note):
    assert charts.notes([note]) == []


def test_notes_stand_by_time_and_string():
    found = charts.notes(
        [{"t": 2, "s": 0, "f": 0}, {"t": 1, "s": 3, "f": 0}, {"t": 1, "s": 1, "f": 0}]
    )
    assert [(n["t"], n["s"]) for n in found] == [(1, 1), (1, 3), (2, 0)]


TEMPLATES = [{"name": "A", "frets": [0, 2, -1, None], "fingers": [], "arp": 1}, {"name": "B"}]


def test_templates_keep_their_order_and_have_defaults():
    first, second = chart_of(chord_templates=TEMPLATES).chord_templates
    assert first == {"name": "A", "displayName": "A", "frets": [0, 2, -1, -1],
                     "fingers": [-1] * 4, "arpeggio": True}  # fmt: skip
    assert second["frets"] == [-1] * 6


def test_a_chord_without_notes_gets_those_of_its_template():
    chart = chart_of(templates=TEMPLATES, chords=[{"t": 1, "id": 0, "hd": 1}, {"t": 0, "id": 9}])
    assert chart.chords == [
        {"t": 0, "id": 9, "notes": []},
        {"t": 1, "id": 0, "hd": True, "notes": [{"s": 0, "f": 0}, {"s": 1, "f": 2}]},
    ]
    assert chart.count() == 2


def test_chords_of_a_template_without_end():
    """A few bytes for each chord must not become thousands of notes for each."""
    templates = [{"frets": [0] * 1000}]
    found = chart_of(templates=templates, chords=[{"t": 1, "id": 0}, {"t": 2, "id": 0}]).chords
    assert [len(chord["notes"]) for chord in found] == [12, 12]
    assert found[0]["notes"] is found[1]["notes"]


@pytest.mark.parametrize(
    "shape",
    [
        {"chord_id": 1, "start_time": 1, "end_time": 2, "arp": True},
        {"id": 1, "st": 1, "et": 2, "arp": True},
    ],
    ids=["new", "old"],
)
@pytest.mark.parametrize("key", ["handshapes", "hand_shapes"])
def test_hand_shapes_have_two_spellings(key, shape):
    chart = chart_of(**{key: [shape, {"id": 1}]})
    assert chart.hand_shapes == [{"chordId": 1, "startTime": 1, "endTime": 2, "arpeggio": True}]


def test_anchors_are_four_wide_unless_they_say_so():
    chart = chart_of(anchors=[{"time": 2, "fret": 5, "width": 6}, {"time": 1, "fret": 3}])
    assert [each["width"] for each in chart.anchors] == [4, 6]


def test_sections_are_counted_by_name():
    found = charts.sections(
        [{"name": "v", "time": 1}, {"name": "c", "start_time": 2}, {"name": "v", "time": 3},
         {"name": "v", "number": 9, "time": 4}]
    )  # fmt: skip
    assert [(each["name"], each["number"]) for each in found] == [
        ("v", 1), ("c", 1), ("v", 2), ("v", 9),
    ]  # fmt: skip


def test_tones_and_their_older_place():
    new = chart_of(
        tones={"base": "b", "changes": [{"t": 2, "name": "y"}, {"time": 1, "name": "x"}]}
    )
    assert (new.tone_base, [each["name"] for each in new.tone_changes]) == ("b", ["x", "y"])
    assert chart_of(tone_changes=[{"t": 1, "name": "x"}]).tone_changes == [{"time": 1, "name": "x"}]
    assert chart_of(tones=None).tone_changes is None


LEVELS = [
    {"difficulty": 0, "notes": [{"t": 1, "s": 0, "f": 0}, {"t": 5, "s": 0, "f": 0}]},
    {"difficulty": 2, "notes": [{"t": 1, "s": 0, "f": 2}, {"t": 5, "s": 0, "f": 2}]},
    {"difficulty": 9, "notes": [{"t": 1, "s": 0, "f": 9}]},
]


def test_notes_that_stand_in_phrases_alone_are_put_together():
    phrases = [
        {"start_time": 0, "end_time": 2, "max_difficulty": 2, "levels": LEVELS},
        {"startTime": 2, "endTime": 9, "maxDifficulty": 1, "levels": LEVELS, "solo": 1},
    ]
    chart = chart_of(phrases=phrases)
    assert [(n["t"], n["f"]) for n in chart.notes] == [(1, 2), (5, 0)]
    assert chart.phrases[1]["solo"] is True
    assert [len(each["levels"]) for each in chart.phrases] == [3, 3]
    with_notes = chart_of(phrases=phrases, notes=[{"t": 7, "s": 0, "f": 0}])
    assert [n["t"] for n in with_notes.notes] == [7]


def test_phrases_say_nothing_of_levels_that_they_have_not():
    (phrase,) = chart_of(phrases=[{"start_time": 0, "end_time": 1, "name": "x"}]).phrases
    assert "levels" not in phrase
    assert chart_of(phrases=[]).phrases is None


def test_lyrics_join_line_ends_to_the_syllable_before():
    found = charts.lyrics(
        [{"t": 3, "d": 0, "w": "+"}, {"t": 0, "d": 0, "w": "+"}, {"t": 1, "d": 1, "w": "hal-"},
         {"t": 2, "d": 1, "w": "lo"}, {"t": 4, "d": 1, "w": 5}, {"t": None, "d": 1, "w": "x"}]
    )  # fmt: skip
    assert [each["w"] for each in found] == ["hal-", "lo+"]


def test_beats_and_sections_are_those_of_the_song(packs):
    beats = [{"time": 1.0, "measure": 1}]
    sections = [{"name": "intro", "number": 1, "time": 0.0}]
    pack = packs.of({"Bass": SongChart(sections=sections), "Lead": SongChart(beats=beats)})
    source = packs.source(pack)
    for index in (0, 1):
        chart = FORMAT.chart(source, index)
        assert (list(chart.beats), list(chart.sections)) == (beats, sections)
    pack.manifest["song_timeline"] = "timeline.json"
    timeline = {"version": 1, "beats": [{"time": 9}], "sections": []}
    pack.files["timeline.json"] = json.dumps(timeline).encode()
    chart = FORMAT.chart(packs.source(pack, "two.sloppak", broken=True), 0)
    assert list(chart.beats) == [{"time": 9, "measure": -1}]
    assert list(chart.sections) == sections
    pack.files["timeline.json"] = json.dumps(timeline | {"version": 2}).encode()
    assert list(FORMAT.chart(packs.source(pack, "three.sloppak", broken=True), 0).beats) == beats


def test_a_broken_arrangement_does_not_refuse_the_pack(packs):
    pack = packs.of({"Lead": SongChart(), "Bass": SongChart(), "Rhythm": SongChart()})
    pack.files["arrangements/0.json"] = b"{"
    del pack.files["arrangements/1.json"]
    pack.files["arrangements/2.json"] = b'{"notes": [{"t": 1, "s": 0, "f": 0}]}'
    pack.manifest["arrangements"].append({"id": "piano", "notation": "piano.json"})
    source = packs.source(pack, broken=True)
    found = FORMAT.metadata(source).arrangements
    assert [(each.name, each.notes) for each in found] == [
        ("Lead", 0), ("Rhythm", 1), ("Bass", 0), ("piano", 0),
    ]  # fmt: skip
    for index in (0, 2):
        with pytest.raises(NotFound, match="cannot be read"):
            FORMAT.chart(source, index)
    assert FORMAT.chart(source, 3) == SongChart(
        notes=[], chords=[], anchors=[], hand_shapes=[], chord_templates=[]
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a.json", "\ufeff[1, NaN, -Infinity]", [1, None, None]),
        ("a.jsonc", '// c\n{"a": "http://x"}', {"a": "http://x"}),
        ("a.jsonc", '[/* // */ "\\"/*"]', ['"/*']),
        ("A.JSONC", "1 /* c */", 1),
        ("a.json", "// c\n1", None),
        ("a.jsonc", "[1,]", None),
        ("a.jsonc", "[1 /* open", None),
        ("a.jsonc", "1 /* open", None),
        ("a.jsonc", "1" + "/*x" * 400_000, None),  # hours, if each were looked for again
        ("a.json", "[" * 100_000, None),
        ("a.json", "1" * 5000, None),
        ("a.json", "[1", None),
    ],
    ids=["nan", "comments", "texts", "case", "strict", "comma", "open", "open behind", "open often",
         "deep", "long", "cut"],
)  # fmt: skip
def test_data_files_are_strict_json(name, text, value):
    if value is None:
        with pytest.raises(UnreadableSong, match=name):
            parse_data(text.encode(), name)
    else:
        assert parse_data(text.encode(), name) == value
