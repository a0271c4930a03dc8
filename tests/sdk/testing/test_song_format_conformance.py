"""The suite for song formats: an honest format passes, and each broken promise is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_sdk import (
    SongChart,
    SongMetadata,
    SongSource,
    SongStem,
    arrangement_rank,
    song_signature,
    tuning_name,
    tuning_sort_key,
)
from plugin_sdk.testing import FakeSongFormat, SongFormatSuite, check_chart

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


class TestFakeSongFormat(SongFormatSuite):
    @pytest.fixture
    def song_format(self) -> FakeSongFormat:
        return FakeSongFormat()

    @pytest.fixture
    def source(self, tmp_path: Path) -> SongSource:
        path = FakeSongFormat.write(
            tmp_path / "library" / "A" / "one.fakesong",
            arrangements={"Bass": [(1.0, 0, 3)], "Lead": [(2.0, 1, 0), (0.5, 5, 12)]},
            stems={"full": b"OggS" + bytes(1000), "guitar": None},
            lyrics=[(1.0, 0.5, "la")],
            cover=PNG,
        )
        return SongSource(path, tmp_path / "library")

    @pytest.fixture
    def broken_source(self, tmp_path: Path) -> SongSource:
        path = tmp_path / "broken.fakesong"
        path.write_bytes(b"{")
        return SongSource(path, tmp_path)


# Each breaks one promise of SongFormat; the suite must find it by the test named beside it.
MUTANTS = {
    "test_it_says_what_it_is": 'suffixes = frozenset({"FAKESONG"})',
    "test_it_can_be_sent_to_another_process": "def __init__(self): self.lock = threading.Lock()",
    "test_it_claims_its_songs": "def claims(self, path, files): return files is not None",
    "test_it_claims_nothing_else": "def claims(self, path, files): return True",
    "test_the_signature_is_that_of_the_content": """
        def signature(self, source): return str(source.path.stat().st_size)
    """,
    "test_metadata_is_of_the_right_shape": """
        def metadata(self, source):
            return replace(super().metadata(source), duration=float("nan"))
    """,
    "test_arrangements_are_in_order": """
        def metadata(self, source):
            found = super().metadata(source)
            return replace(found, arrangements=found.arrangements[::-1])
    """,
    "test_charts_are_what_the_highway_draws": """
        def chart(self, source, index):
            return replace(super().chart(source, index), notes=[{"t": 1, "s": 0, "f": 3, "ho": 0}])
    """,
    "test_there_is_no_chart_beyond_the_last": """
        def chart(self, source, index): return super().chart(source, 0)
    """,
    "test_the_cover_is_a_picture": "def cover(self, source): return None",
    "test_stems_are_streams": """
        def stem(self, source, index):
            return replace(super().stem(source, index), size=3)
    """,
    "test_there_is_no_stem_beyond_the_last": """
        def stem(self, source, index): return super().stem(source, 0)
    """,
    "test_reading_writes_nothing": """
        def cover(self, source):
            source.path.with_suffix(".cache").write_bytes(b"")
            return super().cover(source)
    """,
    "test_a_broken_song_says_why": """
        def metadata(self, source):
            try:
                return super().metadata(source)
            except UnreadableSong:
                raise UnreadableSong(f"{source.path} is broken") from None
    """,
}

TEMPLATE = """
import threading
from dataclasses import replace

import pytest

from plugin_sdk import SongSource, UnreadableSong
from plugin_sdk.testing import FakeSongFormat, SongFormatSuite
{classes}
"""

CLASS = """
class Mutant_{name}(FakeSongFormat):
{body}

class Test_{name}(SongFormatSuite):
    @pytest.fixture
    def song_format(self): return Mutant_{name}()

    @pytest.fixture
    def source(self, tmp_path):
        path = FakeSongFormat.write(
            tmp_path / "library" / "one.fakesong", cover=b"png",
            arrangements={{"Bass": [(1.0, 0, 3)], "Lead": [(2.0, 1, 0), (0.5, 5, 12)]}},
            stems={{"full": b"OggS"}})
        return SongSource(path, tmp_path / "library")

    @pytest.fixture
    def broken_source(self, tmp_path):
        (tmp_path / "broken.fakesong").write_bytes(b"{{")
        return SongSource(tmp_path / "broken.fakesong", tmp_path)
"""


def test_each_broken_promise_is_found(run_pytest):
    import textwrap

    classes = [
        CLASS.format(name=name, body=textwrap.indent(textwrap.dedent(body).strip(), "    "))
        for name, body in MUTANTS.items()
    ]
    outcome = run_pytest(TEMPLATE.format(classes="\n".join(classes)))
    for name in MUTANTS:
        assert name in outcome.failed_of(f"Test_{name}"), f"{name} lets its mutant pass"


@pytest.mark.parametrize(
    ("offsets", "name"),
    [
        ([0] * 6, "E Standard"),
        ([-1] * 6, "Eb Standard"),
        ([-5] * 4, "B Standard"),
        ([2] * 6, "F# Standard"),
        ([-2, 0, 0, 0, 0, 0], "Drop D"),
        ([-2, 0, 0, 0], "Drop D"),
        ([-3, -1, -1, -1, -1, -1], "Drop C#"),
        ([-4, -2, -2, -2, -2, -2], "Drop C"),
        ([-5, -3, -3, -3, -3, -3], "Drop B"),
        ([-1, 1, 1, 1, 1, 1], "Drop Eb"),
        ([-2, -2, 0, 0, 0, 0], "Double Drop D"),
        ([-2, 0, 0, 0, 0, -2], "Double Drop D"),
        ([0, 0, 0, -1, 0, 0], "Open G"),
        ([-2, -2, 0, 0, 0, -2], "Open G"),
        ([-2, -2, 0, 0, -2, -2], "Open D"),
        ([-2, 0, 0, -1, -2, -2], "Open D"),
        ([-2, 0, 0, 0, -2, 0], "DADGAD"),
        ([-2, 0, 0, 0, -2, -2], "DADGAD"),
        ([0, 2, 2, 1, 0, 0], "Open E"),
        ([-2, 0, 0, 2, 3, 2], "Open D (alt)"),
        ([-8] * 6, "-8 -8 -8 -8 -8 -8"),
        ([0] * 7, "0 0 0 0 0 0 0"),
        ([-2, 0, 0, 0, 0], "-2 0 0 0 0"),
        ([], "Unknown"),
    ],
    ids=str,
)
def test_tunings_have_the_names_that_players_use(offsets, name):
    assert tuning_name(offsets) == name


@pytest.mark.parametrize(
    ("offsets", "key"),
    [
        ([-2, 0, 0, 0, 0, 0], -2),
        ([-2, 0, 0, 0], -3),
        ([0, 0, 0, 0, 0, 0, -5], -4),
        ([1, 0, 0, 0], 2),
        ([-1, 0, 0, 0], -2),
        ([], 0),
    ],
    ids=str,
)
def test_tunings_of_all_lengths_are_sorted_by_one_scale(offsets, key):
    assert tuning_sort_key(offsets) == key


def test_lead_comes_first_and_others_stay():
    names = ["Bass", "Vocals", "rhythm", "Bonus Lead", "COMBO", "Lead"]
    assert sorted(names, key=arrangement_rank) == [
        "Lead", "COMBO", "rhythm", "Bass", "Vocals", "Bonus Lead",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tuning", "strings", "name", "count"),
    [
        ((0,) * 6, [], "Lead", 6),
        ((0,) * 6, [], "Bonus bASS", 4),
        ((0,) * 6, [4], "Bass", 5),
        ((0,) * 7, [], "Lead", 7),
        ((0,) * 4, [5], "Bass", 6),
        ((0,) * 5, [], "Bass", 5),
    ],
)
def test_the_highway_has_as_many_strings_as_are_played(tuning, strings, name, count):
    chords = [{"t": 0, "id": 0, "notes": [{"s": s, "f": 0} for s in strings]}]
    assert SongChart(tuning=tuning, chords=chords).string_count(name) == count


@pytest.mark.parametrize(
    ("stems", "index"),
    [
        ([], None),
        ([SongStem("full")], None),
        ([SongStem("a", media_type="audio/ogg"), SongStem("FULL", media_type="audio/flac")], 1),
        ([SongStem("a", media_type="audio/ogg"), SongStem("b", True, None, "audio/flac")], 1),
        ([SongStem("a", media_type="audio/mpeg"), SongStem("b", media_type="audio/wav")], 1),
        ([SongStem("full"), SongStem("b", media_type="audio/mpeg")], 1),
    ],
    ids=["none", "missing", "full", "default", "plain", "first"],
)
def test_the_mix_is_the_full_stem_or_what_comes_next(stems, index):
    assert SongMetadata("T", "A", stems=tuple(stems)).mix() == index


def test_a_folder_s_signature_heeds_edits_and_no_links(tmp_path):
    song = tmp_path / "song"
    (song / "deep").mkdir(parents=True)
    (song / "deep" / "a.json").write_text("1")
    before = song_signature(song)
    (song / "link").symlink_to(tmp_path)
    assert song_signature(song) == before
    (song / "deep" / "a.json").write_text("12")
    assert song_signature(song) != before


def test_a_chart_leaves_out_what_the_source_has_not():
    chart = SongChart(phrases=[], lyrics=None, tone_base="clean", tone_changes=[])
    document = chart.document()
    assert document["toneBase"] == "clean"
    assert not {"phrases", "lyrics", "toneChanges"} & document.keys()
    check_chart(chart)


def test_a_source_knows_the_folders_above_it(tmp_path):
    assert SongSource(tmp_path / "A" / "B" / "song", tmp_path).folders == ("A", "B")
