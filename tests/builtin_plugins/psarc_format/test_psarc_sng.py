"""Binary charts: their records, and what is no such chart."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.psarc_format.charts import sng_score
from builtin_plugins.psarc_format.sng import parse_sng
from builtin_plugins.song_formats.tools import SongTools
from plugin_sdk import UnreadableSong
from plugin_sdk.testing import check_chart

CHART = "songs/bin/generic/song_bass.sng"
MANIFEST = "manifests/songs_dlc_song/song_bass.json"


def plain(psarcs):
    return psarcs.sng(levels=[{"notes": [{"t": 1.0, "f": 5}, {"t": 2.0, "s": 1, "f": 7}]}])


def test_every_field_of_a_binary_chart(psarcs):
    details = psarcs.chord_note([0x40, 0, 0, 0, 0, 0], [5, -1, -1, -1, -1, -1], {0: [(4.0, 1.5)]})
    sng = psarcs.sng(
        beats=[(0.5, 1, 0, 0, 1), (1.0, 1, 1, 0, 0)],
        phrases=[("easy", 0), ("hard", 1)],
        iterations=[(0, 0.0), (1, 10.0)],
        chords=[(1, 1, 3, -1, -1, -1, -1, 1, 3, -1, -1, -1, -1, *([0] * 6), b"F5")],
        chord_notes=[details],
        tones=[(3.0, 1), (1.0, 0), (2.0, 99)],
        sections=[("verse", 1, 0.0), ("verse", 2, 10.0)],
        tuning=(-2, 0, 0, 0),
        levels=[
            {"difficulty": 0, "notes": [{"t": 1.0, "f": 3}, {"t": 11.0, "f": 4}],
             "anchors": [(1.0, 3, 5)], "shapes": [(0, 1.0, 2.0)]},
            {"difficulty": 1, "anchors": [(9.0, 1, 4), (12.0, 7, 4)],
             "arpeggios": [(0, 12.0, 13.0)],
             "notes": [
                 {"t": 12.0, "s": 5, "f": 9, "mask": 0x400_0200, "sus": 0.5, "sl": 11, "slu": 12,
                  "pick": 1, "bend": 2.0, "bends": [(12.1, 2.0)]},
                 {"t": 13.0, "chord": 0, "details": 0, "mask": 0x20_0002},
                 {"t": 14.0, "chord": 0, "mask": 0x2_0042},
                 {"t": 15.0, "s": -1, "f": -1},
             ]},
        ],
    )  # fmt: skip
    files = {
        CHART: sng.sealed(psarcs.keys.sng_pc),
        MANIFEST: psarcs.manifest("Bass", Tone_Base="b", Tone_A="x", Tone_B="y"),
    }
    source = psarcs.source(files)
    found = psarcs.reader().chart(source, 0)
    check_chart(found)
    assert found.notes == [
        {"t": 1.0, "s": 0, "f": 3},
        {"t": 12.0, "s": 5, "f": 9, "sus": 0.5, "sl": 11, "sl2": 12, "bn": 2.0, "pkd": 1,
         "ho": True, "ac": True, "bnv": [{"t": pytest.approx(12.1), "v": 2.0}]},
    ]  # fmt: skip
    slid = {"s": 0, "f": 1, "sl": 5, "bnv": [{"t": 4.0, "v": 1.5}], "bn": 1.5, "mute": True}
    muted = {"mute": True, "mt": True}
    assert found.chords == [
        {"t": 13.0, "id": 0, "hd": True, "notes": [slid, {"s": 1, "f": 3}]},
        {"t": 14.0, "id": 0, "notes": [{"s": 0, "f": 1, **muted}, {"s": 1, "f": 3, **muted}]},
    ]
    assert [(each["time"], each["width"]) for each in found.anchors] == [(1.0, 5), (12.0, 4)]
    assert [each.get("arpeggio") for each in found.hand_shapes] == [None, True]
    assert found.chord_templates[0]["arpeggio"] is True
    assert [each["measure"] for each in found.beats] == [1, -1]
    assert [each["number"] for each in found.sections] == [1, 2]
    assert [(each["time"], each["name"]) for each in found.tone_changes] == [(1.0, "x"), (3.0, "y")]
    assert (found.tone_base, found.tuning, found.capo) == ("b", (-2, 0, 0, 0), 0)
    assert [(p["name"], p["solo"], len(p["levels"])) for p in found.phrases] == [
        ("easy", True, 1), ("hard", True, 2),
    ]  # fmt: skip
    assert psarcs.reader().metadata(source).arrangements[0].notes == 4


def test_a_parse_ends_at_the_last_byte(psarcs):
    body = plain(psarcs).body()
    assert parse_sng(body).length == 100
    with pytest.raises(UnreadableSong, match="goes on"):
        parse_sng(body + b"\0")
    for cut in range(0, len(body), 97):
        with pytest.raises(UnreadableSong):
            parse_sng(body[:cut])


def builder():
    """The writer of this folder's conftest, for tests whose values hypothesis makes."""
    place = Path(__file__).parent / "conftest.py"
    spec = importlib.util.spec_from_file_location("psarcs", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("psarcs", module)
    spec.loader.exec_module(module)
    return module.Psarcs


BODY = plain(builder()).body()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), min_size=1))
def test_any_binary_chart_is_read_or_refused(changes):
    body = bytearray(BODY)
    for at, value in changes:
        body[at] = value
    with suppress(UnreadableSong):
        check_chart(sng_score(parse_sng(bytes(body)), SongTools(), [], "").chart())
