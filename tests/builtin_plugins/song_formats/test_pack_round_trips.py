"""Any chart: what is written is read back equal, and what is read can be sent."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.song_formats.arrangement_json import arrangement_chart
from builtin_plugins.song_formats.manifest import ManifestArrangement
from builtin_plugins.song_formats.sloppak import SloppakFormat
from plugin_sdk import SongChart
from plugin_sdk.testing import check_chart

FORMAT = SloppakFormat()
ENTRY = ManifestArrangement("lead", "Lead", "lead.json")

TIME = st.floats(0, 1e4) | st.integers(0, 10_000)
FLAGS = ["ho", "po", "harm", "pharm", "mute", "mt", "vib", "tap", "tr", "ac", "ln", "fhm", "plk",
         "slp", "ig"]  # fmt: skip
POSITIVE = st.integers(1, 24) | st.floats(0.25, 3)
TECHNIQUES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FLAGS, st.just(True)),
        **dict.fromkeys(("sus", "bn", "bt"), POSITIVE),
        **dict.fromkeys(("sl", "sl2", "fg", "ch", "sd"), st.integers(1, 24)),
        "bnv": st.lists(st.fixed_dictionaries({"t": TIME, "v": POSITIVE}), min_size=1, max_size=3),
    },
)
CHORD_NOTES = st.tuples(st.integers(0, 8), st.integers(0, 24), TECHNIQUES).map(
    lambda each: {"s": each[0], "f": each[1], **each[2]}
)
NOTES = st.lists(
    st.tuples(TIME, CHORD_NOTES).map(lambda each: {"t": each[0], **each[1]}), max_size=5
)
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)


def by(key, *more):
    return lambda items: sorted(items, key=lambda item: [item[each] for each in (key, *more)])


CHORDS = st.lists(
    st.fixed_dictionaries(
        {
            "t": TIME,
            "id": st.integers(-1, 5),
            "notes": st.lists(CHORD_NOTES, min_size=1, max_size=3),
        },
        optional={"hd": st.just(True)},
    ),
    max_size=3,
)
ANCHORS = st.lists(
    st.fixed_dictionaries({"time": TIME, "fret": st.integers(0, 24), "width": st.integers(1, 9)}),
    max_size=3,
)
SHAPES = st.lists(
    st.fixed_dictionaries(
        {"chordId": st.integers(0, 5), "startTime": TIME, "endTime": TIME},
        optional={"arpeggio": st.just(True)},
    ),
    max_size=3,
)
FRETS = st.lists(st.integers(-1, 24), min_size=6, max_size=6)
CHARTS = st.builds(
    SongChart,
    tuning=st.lists(st.integers(-12, 5), min_size=1, max_size=12).map(tuple),
    capo=st.integers(0, 12),
    cent_offset=st.integers(-100, 100) | st.floats(-100, 100),
    notes=NOTES.map(by("t", "s")),
    chords=CHORDS.map(by("t")),
    anchors=ANCHORS.map(by("time")),
    hand_shapes=SHAPES.map(by("startTime")),
    chord_templates=st.lists(
        st.builds(
            lambda name, frets, fingers, arpeggio: {
                "name": name, "displayName": name, "frets": frets, "fingers": fingers,
                "arpeggio": arpeggio,
            },
            NAMES, FRETS, FRETS, st.booleans(),
        ),
        max_size=2,
    ),
    phrases=st.none() | st.lists(
        st.fixed_dictionaries(
            {
                "name": NAMES, "maxDifficulty": st.integers(0, 9), "disparity": st.booleans(),
                "solo": st.booleans(), "ignore": st.booleans(), "startTime": TIME, "endTime": TIME,
            },
            optional={
                "levels": st.lists(
                    st.fixed_dictionaries(
                        {"difficulty": st.integers(0, 9), "notes": NOTES.map(by("t", "s")),
                         "chords": CHORDS.map(by("t")), "anchors": ANCHORS.map(by("time")),
                         "handShapes": SHAPES.map(by("startTime"))}
                    ),
                    max_size=2,
                )
            },
        ),
        min_size=1, max_size=2,
    ).map(by("startTime")),
    tone_base=st.none() | NAMES.filter(bool),
    tone_changes=st.none() | st.lists(
        st.fixed_dictionaries({"time": TIME, "name": NAMES}), min_size=1, max_size=2
    ).map(by("time")),
)  # fmt: skip


def pack_tools():
    """The writer of this folder's conftest, for tests whose values hypothesis makes."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("packs", Path(__file__).parent / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules.setdefault("packs", module)
    spec.loader.exec_module(module)
    return module


TOOLS = pack_tools()


@settings(max_examples=30, deadline=None)
@given(CHARTS, st.booleans())
def test_what_is_written_is_read_back_equal(chart, folder):
    pack = TOOLS.pack_of({"Lead": chart})
    pack.check_rules()
    with tempfile.TemporaryDirectory() as root:
        packs = TOOLS.Packs(Path(root))
        source = packs.folder(pack) if folder else packs.source(pack)
        found = FORMAT.chart(source, 0)
        assert FORMAT.metadata(source).arrangements[0].notes == found.count()
    check_chart(found)
    if not chart.count():  # then what is played is taken from the phrases
        return
    expected = {
        name: list(value) if isinstance(value, tuple) and name != "tuning" else value
        for name, value in _values(chart).items()
    }
    assert _values(found) == expected


def _values(chart):
    names = SongChart.__dataclass_fields__
    return {
        name: list(value) if isinstance(value := getattr(chart, name), list | tuple) else value
        for name in names
    }


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "t",
        "s",
        "f",
        "id",
        "notes",
        "chords",
        "time",
        "fret",
        "width",
        "start_time",
        "end_time",
        "max_difficulty",
        "levels",
        "frets",
        "name",
        "measure",
        "number",
        "sus",
        "bnv",
        "hd",
        "arp",
        "difficulty",
    ]
)
ITEMS = st.recursive(
    st.dictionaries(FIELDS, JSONISH | st.integers(0, 9), max_size=6),
    lambda inner: st.dictionaries(FIELDS, st.lists(inner, max_size=3), max_size=4),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(
        [
            "tuning",
            "capo",
            "centOffset",
            "notes",
            "chords",
            "anchors",
            "handshapes",
            "templates",
            "phrases",
            "tones",
            "tone_changes",
            "beats",
            "sections",
        ]
    ),
    JSONISH | st.lists(ITEMS, max_size=3) | st.lists(JSONISH, max_size=2),
)


@settings(max_examples=80, deadline=None)
@given(DOCUMENTS)
def test_any_document_makes_a_chart_that_can_be_sent(document):
    check_chart(arrangement_chart(document, ENTRY))
