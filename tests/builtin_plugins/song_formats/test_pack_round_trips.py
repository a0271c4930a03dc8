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


IDS = NAMES.filter(str.strip)
PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
ENTRIES = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "name": NAMES | st.sampled_from(["Lead", "rhythm", "BASS", "Combo"]),
        "tuning": st.lists(st.integers(-12, 5), min_size=1, max_size=12),
        "capo": st.integers(0, 12),
        "centOffset": st.integers(-100, 100) | st.floats(-100, 100),
        "type": NAMES,
        "x-unknown": PLAIN,
    },
)
STEMS = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "default": st.booleans() | st.sampled_from(["On", "no", "TRUE", "Yes", "off"]),
        "language": st.sampled_from(["de", "en-GB"]),
        "codec": st.sampled_from(["vorbis", "flac", "mp3"]),
        "x-unknown": PLAIN,
    },
)
AUTHORS = st.fixed_dictionaries({"name": IDS}, optional={"role": NAMES, "url": NAMES})
KEPT = {
    "album_artist": NAMES.filter(bool),
    "track": st.integers(1, 99),
    "disc": st.integers(1, 9),
    "genres": st.lists(NAMES, max_size=2),
    "language": st.just("no"),
    "authors": st.lists(AUTHORS, max_size=2),
    "lyrics_source": st.sampled_from(["authored", "transcribed", "user"]),
}
MANIFESTS = st.fixed_dictionaries(
    {
        "title": NAMES,
        "artist": NAMES,
        "duration": st.integers(0, 9999) | st.floats(0, 1e5),
        "arrangements": st.lists(ENTRIES, min_size=1, max_size=4),
        "stems": st.lists(STEMS, min_size=1, max_size=3),
    },
    optional={"album": NAMES, "year": st.integers(0, 9999), "x-unknown": PLAIN, **KEPT},
)
TYPES = {"vorbis": "audio/ogg", "flac": "audio/flac", "mp3": "audio/mpeg", None: "audio/wav"}


@settings(max_examples=40, deadline=None)
@given(MANIFESTS, st.booleans(), st.booleans())
def test_manifests_are_read_back_equal(manifest, folder, has_lyrics):
    """By the rules of songs 9.2 to 9.4, written down once more."""
    own = [(-1, 0, 0, 0, number) for number in range(len(manifest["arrangements"]))]
    stems = {f"{number}.wav": bytes(number) for number in range(len(manifest["stems"]))}
    pack = TOOLS.pack_of(
        {f"a{number}": SongChart(tuning=tuning) for number, tuning in enumerate(own)},
        stems=stems,
        lyrics=[{"t": 1, "d": 1, "w": "la"}] if has_lyrics else None,
    )
    for group in ("arrangements", "stems"):
        files = [{"file": each["file"]} for each in pack.manifest[group]]
        pack.manifest[group] = [a | b for a, b in zip(manifest[group], files, strict=True)]
    pack.manifest.update({k: v for k, v in manifest.items() if k not in ("arrangements", "stems")})
    with tempfile.TemporaryDirectory() as root:
        packs = TOOLS.Packs(Path(root))
        source = packs.folder(pack) if folder else packs.source(pack)
        found = FORMAT.metadata(source)
        charts = [FORMAT.chart(source, index) for index in range(len(own))]
    assert (found.title, found.artist) == (manifest["title"], manifest["artist"])
    assert (found.album, found.year) == (manifest.get("album", ""), manifest.get("year"))
    assert found.duration == manifest["duration"]
    assert found.has_lyrics is has_lyrics
    assert found.extra == {key: manifest[key] for key in KEPT if key in manifest}
    entries = [
        (each.get("name") or each["id"], tuple(each.get("tuning", tuning)), each)
        for each, tuning in zip(manifest["arrangements"], own, strict=True)
    ]
    guitars = [t for name, t, _ in entries if name.casefold() in ("lead", "rhythm", "combo")]
    assert found.tuning == [*guitars, entries[0][1]][0]
    ranks = ["lead", "combo", "rhythm", "bass"]
    ordered = sorted(
        entries, key=lambda e: ranks.index(f) if (f := e[0].casefold()) in ranks else len(ranks)
    )
    assert [each.name for each in found.arrangements] == [name for name, _, _ in ordered]
    for chart, (_, tuning, entry) in zip(charts, ordered, strict=True):
        expected = (tuning, entry.get("capo", 0), entry.get("centOffset", 0))
        assert (chart.tuning, chart.capo, chart.cent_offset) == expected
    for stem, (entry, content) in zip(
        found.stems, zip(manifest["stems"], stems.values(), strict=True), strict=True
    ):
        assert (stem.stem_id, stem.language) == (entry["id"], entry.get("language"))
        assert stem.default is (str(entry.get("default", "no")).lower() in ("on", "true", "yes"))
        assert (stem.media_type, stem.size) == (TYPES[entry.get("codec")], len(content))


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
