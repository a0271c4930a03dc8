"""Charts and lyrics in XML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.song_formats.arrangement_xml import read_arrangement, read_vocals
from plugin_sdk import UnreadableSong
from plugin_sdk.testing import check_chart


def song(inner: str = "", **attributes: str) -> str:
    stated = "".join(f' {name}="{value}"' for name, value in attributes.items())
    level = '<levels><level difficulty="0"><notes><note time="1" string="0" fret="3"/></notes>'
    end = "</level></levels>"
    body = inner if "<levels>" in inner else inner + level + end
    return f"<?xml version='1.0' encoding='utf-8'?>\n<song{stated}>{body}</song>"


def read(inner: str, **attributes: str):
    return read_arrangement(song(inner, **attributes).encode(), "a.xml")


def level_of(*inner: str) -> str:
    body = "".join(inner)
    return f'<levels><level difficulty="0">{body}</level></levels>'


@pytest.mark.parametrize(
    ("attributes", "out"),
    [
        ('sustain="0.5" slideTo="7"', {"sus": 0.5, "sl": 7}),
        ('slideUnpitchTo="9" bend="1.5"', {"sl2": 9, "bn": 1.5}),
        ('sustain="0.000" slideTo="-1" bend="" rightHand="-1"', {}),
        ('hammerOn="1" pullOff="true"', {"ho": True, "po": True}),
        ('harmonic="1" harmonicPinch="1"', {"harm": True, "pharm": True}),
        ('palmMute="1"', {"mute": True}),
        ('mute="1"', {"mt": True}),
        ('vibrato="80" tremolo="1" accent="1"', {"vib": True, "tr": True, "ac": True}),
        ('linkNext="1" tap="1"', {"ln": True, "tap": True}),
        ('fretHandMute="1" pluck="-1" slap="-1" ignore="0"', {"fhm": True}),
        ('pluck="1" slap="0" pickDirection="0" accent="False"', {"plk": True, "pkd": 0}),
        ('sustain="nan" bend="inf" slideTo="x"', {}),
    ],
    ids=range(12),
)
def test_attributes_of_notes(attributes, out):
    score = read(level_of(f'<notes><note time="1.25" string="7" fret="3" {attributes}/></notes>'))
    assert score.chart().notes == [{"t": 1.25, "s": 7, "f": 3, **out}]


@pytest.mark.parametrize(
    "attributes",
    [
        'string="0" fret="0"',
        'time="1" fret="0"',
        'time="nan" string="0" fret="0"',
        'time="1" string="-1" fret="0"',
        'time="1" string="" fret=""',
    ],
)
def test_notes_that_are_none(attributes):
    assert read(level_of(f"<notes><note {attributes}/></notes>")).chart().count() == 0


TEMPLATES = (
    '<chordTemplates><chordTemplate chordName="A5" displayName="" fret0="0" fret1="2" finger1="1"/>'
    '<chordTemplate chordName="Am" displayName="Am-arp" fret0="1"/></chordTemplates>'
)


def test_chords_take_notes_from_their_template():
    chords = (
        '<chords><chord time="2" chordId="0" palmMute="1" accent="1" highDensity="1"/>'
        '<chord time="1" chordId="1" mute="1"><chordNote time="1" string="0" fret="1"/>'
        '<chordNote time="1" string="1" fret="2" mute="0"/></chord></chords>'
    )
    chart = read(TEMPLATES + level_of(chords)).chart()
    flags = {"mute": True, "ac": True}
    of_template = [{"s": 0, "f": 0}, {"s": 1, "f": 2}]
    assert chart.chords == [
        {"t": 1, "id": 1, "notes": [{"s": 0, "f": 1, "mt": True}, {"s": 1, "f": 2}]},
        {"t": 2, "id": 0, "hd": True, "notes": [{**each, **flags} for each in of_template]},
    ]
    assert chart.chord_templates[0] == {
        "name": "A5", "displayName": "A5", "frets": [0, 2, -1, -1, -1, -1],
        "fingers": [-1, 1, -1, -1, -1, -1], "arpeggio": False,
    }  # fmt: skip
    assert chart.chord_templates[1]["arpeggio"] is True


def test_hand_shapes_know_arpeggios():
    shapes = (
        '<handShapes><handShape chordId="1" startTime="2" endTime="3"/>'
        '<handShape chordId="0" startTime="1" endTime="2"/></handShapes>'
    )
    assert read(TEMPLATES + level_of(shapes)).chart().hand_shapes == [
        {"chordId": 0, "startTime": 1, "endTime": 2},
        {"chordId": 1, "startTime": 2, "endTime": 3, "arpeggio": True},
    ]


def test_the_rest_of_an_arrangement():
    inner = (
        '<tuning string0="-2" string1="" string6="1"/><capo>2</capo><centOffset>-3.5</centOffset>'
        "<tonebase>clean</tonebase>"
        "<tones><tone time='2' name='b'/><tone time='1' name='a'/></tones>"
        '<ebeats><ebeat time="0.5" measure="1"/><ebeat time="1.0"/></ebeats>'
        '<sections><section name="v" startTime="1"/><section name="v" number="7" startTime="2"/>'
        '<section name="v" startTime="3"/></sections>'
    )
    chart = read(inner).chart()
    assert chart.tuning == (-2, 0, 0, 0, 0, 0, 1)
    assert (chart.capo, chart.cent_offset, chart.tone_base) == (2, -3.5, "clean")
    assert [each["name"] for each in chart.tone_changes] == ["a", "b"]
    assert chart.beats == [{"time": 0.5, "measure": 1}, {"time": 1.0, "measure": -1}]
    assert [each["number"] for each in chart.sections] == [1, 7, 3]
    assert chart.phrases is None


def note(time: float, fret: int) -> str:
    return f'<note time="{time}" string="0" fret="{fret}"/>'


def levels(*each: tuple[int, list[float]]) -> str:
    found = ""
    for difficulty, times in each:
        notes = "".join(note(time, difficulty) for time in times)
        found += f'<level difficulty="{difficulty}"><notes>{notes}</notes></level>'
    return f"<levels>{found}</levels>"


PHRASES = (
    '<phrases><phrase name="easy" maxDifficulty="0"/>'
    '<phrase name="hard" maxDifficulty="3" solo="1"/>'
    "</phrases><phraseIterations>{}</phraseIterations>"
)


def iterations(*each: tuple[float, int]) -> str:
    return PHRASES.format("".join(f'<phraseIteration time="{t}" phraseId="{p}"/>' for t, p in each))


def test_the_hardest_level_of_each_passage_is_played():
    """Not the hardest level of the file, which holds the hardest passages alone."""
    inner = iterations((1, 0), (5, 1), (9, 0)) + levels(
        (0, [0.5, 1, 5, 9, 20]), (2, [5, 6, 9]), (4, [6])
    )
    chart = read(inner + "<songLength>30</songLength>").chart()
    played = [(each["t"], each["f"]) for each in chart.notes]
    assert played == [(0.5, 0), (1, 0), (5, 2), (6, 2), (9, 0), (20, 0)]
    spans = [(p["name"], p["startTime"], p["endTime"], len(p["levels"])) for p in chart.phrases]
    assert spans == [("easy", 1, 5, 1), ("hard", 5, 9, 2), ("easy", 9, 30, 1)]
    assert [p["solo"] for p in chart.phrases] == [False, True, False]


def test_one_level_is_used_whole_and_has_no_phrases():
    chart = read(iterations((3, 0)) + levels((7, [1, 5]))).chart()
    assert [each["t"] for each in chart.notes] == [1, 5]
    assert chart.phrases is None


def test_levels_times_iterations_are_not_written_out_without_end():
    many = [(float(time), 1) for time in range(1000)]
    easy = '<level difficulty="0"/>' * 1000
    chart = read(iterations(*many) + f"<levels>{easy}</levels>").chart()
    assert chart.phrases is None


def test_levels_without_phrases_are_judged_by_their_notes():
    chart = read(levels((0, [1]), (1, [1, 2, 3]), (2, [1, 2]))).chart()
    assert [each["f"] for each in chart.notes] == [1, 1, 1]
    iteration = '<phraseIterations><phraseIteration time="0" phraseId="0"/></phraseIterations>'
    chart = read(iteration + levels((0, [1]), (1, [1, 2, 3]), (2, [1, 2]))).chart()
    assert [each["f"] for each in chart.notes] == [1, 1, 1]
    assert chart.phrases is None


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE song SYSTEM "http://x/"><song/>',
        "<!DOCTYPE song [<!ENTITY a 'b'>]><song>&a;</song>",
        "<!DOCTYPE song [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><song>&a;</song>",
        "<song>&undefined;</song>",
        "<song",
        "",
        "<?xml version='1.0' encoding='nothing'?><song/>",
        "<a>" * 100_000 + "</a>" * 100_000,
        "<vocals/>",
    ],
    ids=["external", "entity", "file", "undefined", "cut", "empty", "encoding", "deep", "vocals"],
)
def test_documents_that_are_refused(document):
    with pytest.raises(UnreadableSong, match=r"^a\.xml"):
        read_arrangement(document.encode(), "a.xml")


def test_a_document_type_in_another_encoding_is_refused_too():
    with pytest.raises(UnreadableSong, match="document type"):
        read_arrangement("<!DOCTYPE song [<!ENTITY a 'b'>]><song/>".encode("utf-16"), "a.xml")


ATTRIBUTE = st.sampled_from([
    "time", "string", "fret", "chordId", "startTime", "endTime", "width", "measure", "name",
    "difficulty", "maxDifficulty", "phraseId", "bend", "slideTo", "fret0", "fret7",
    "string0", "displayName", "highDensity",
])  # fmt: skip
VALUE = st.sampled_from(["", "nan", "inf", "-1", "0", "1", "2.5", "1e400", "x", "9" * 400, "٣"])
TAG = st.sampled_from([
    "note", "chord", "chordNote", "anchor", "handShape", "level", "levels", "notes",
    "chords", "anchors", "handShapes", "phrases", "phrase", "phraseIterations",
    "phraseIteration", "chordTemplates", "chordTemplate", "tuning", "ebeats", "ebeat",
    "sections", "section", "tones", "tone",
])  # fmt: skip
ELEMENT = st.recursive(
    st.tuples(TAG, st.dictionaries(ATTRIBUTE, VALUE, max_size=5), st.just([])),
    lambda inner: st.tuples(
        TAG, st.dictionaries(ATTRIBUTE, VALUE, max_size=3), st.lists(inner, max_size=4)
    ),
    max_leaves=15,
)


def written(element) -> str:
    tag, attributes, inside = element
    stated = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{stated}>" + "".join(map(written, inside)) + f"</{tag}>"


@settings(max_examples=80, deadline=None)
@given(st.lists(ELEMENT, max_size=6))
def test_any_document_makes_a_chart_that_can_be_sent(elements):
    document = "<song>" + "".join(map(written, elements)) + "</song>"
    check_chart(read_arrangement(document.encode(), "a.xml").chart())


def test_vocals_fold_line_ends():
    vocals = (
        '<vocals><vocal time="1" length="1" lyric="a"/>'
        '<vocal time="2" length="0" lyric="+"/></vocals>'
    )
    assert read_vocals(vocals.encode(), "v.xml") == [{"t": 1, "d": 1, "w": "a+"}]
