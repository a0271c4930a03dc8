"""What every song format promises, as tests."""

from __future__ import annotations

import math
import os
import pickle
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from plugin_sdk.errors import NotFound
from plugin_sdk.song_charts import SongChart, arrangement_rank
from plugin_sdk.song_formats import (
    SongArrangement,
    SongCover,
    SongFormat,
    SongMetadata,
    SongSource,
    SongStem,
    SongStream,
    UnreadableSong,
)
from plugin_sdk.strict_json import check_json
from plugin_sdk.testing.missing import missing

__all__ = ["SongFormatSuite", "check_chart"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SUFFIX: Final = re.compile(r"\.[^/A-Z]+")
_COVERS: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
_NUMBERS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("sus", "bn", "bt"), 0),
    **dict.fromkeys(("sl", "sl2", "rh", "pkd", "fg", "ch", "sd"), -1),
}
_FLAGS: Final = frozenset(
    {"ho", "po", "harm", "pharm", "mute", "mt", "vib", "tap", "tr", "ac", "ln", "fhm", "plk"}
    | {"slp", "ig"}
)


def check_chart(chart: SongChart) -> None:
    """Fails unless every value has the shape of the songs contract, section 8."""
    assert isinstance(chart, SongChart)
    assert isinstance(chart.tuning, tuple), "tuning is a tuple"
    assert all(_whole(each) for each in chart.tuning), "tuning holds integers"
    assert _whole(chart.capo, 0)
    assert _finite(chart.cent_offset)
    for note in chart.notes:
        _check_note(note, timed=True)
    _check_order(chart.notes, "t")
    for chord in chart.chords:
        _check_keys(chord, {"t", "id", "notes"}, {"hd"})
        assert _finite(chord["t"])
        assert _whole(chord["id"])
        assert chord.get("hd", True) is True
        for note in chord["notes"]:
            _check_note(note, timed=False)
    _check_order(chart.chords, "t")
    _check_rest(chart)
    check_json(_plain(chart.document()))


def _check_rest(chart: SongChart) -> None:
    for anchor in chart.anchors:
        _check_keys(anchor, {"time", "fret", "width"})
    _check_order(chart.anchors, "time")
    for shape in chart.hand_shapes:
        _check_keys(shape, {"chordId", "startTime", "endTime"}, {"arpeggio"})
    _check_order(chart.hand_shapes, "startTime")
    for template in chart.chord_templates:
        _check_keys(template, {"name", "displayName", "frets", "fingers", "arpeggio"})
    for beat in chart.beats:
        _check_keys(beat, {"time", "measure"})
    _check_order(chart.beats, "time")
    for section in chart.sections:
        _check_keys(section, {"name", "number", "time"})
    _check_order(chart.sections, "time")
    for phrase in chart.phrases or ():
        needed = {"name", "maxDifficulty", "disparity", "solo", "ignore", "startTime", "endTime"}
        _check_keys(phrase, needed, {"levels"})
        for level in phrase.get("levels", ()):
            _check_keys(level, {"difficulty", "notes", "chords", "anchors", "handShapes"})
    for line in chart.lyrics or ():
        _check_keys(line, {"t", "d", "w"})
        assert line["w"] != "+", "a lone + belongs to the syllable before"
    _check_order(chart.lyrics or (), "t")
    for change in chart.tone_changes or ():
        _check_keys(change, {"time", "name"})
    _check_order(chart.tone_changes or (), "time")


class SongFormatSuite:
    """Subclass it beside your tests, and give the fixtures::

        from plugin_sdk import SongSource
        from plugin_sdk.testing import SongFormatSuite

        class TestTabs(SongFormatSuite):
            @pytest.fixture
            def song_format(self):
                return TabFormat()

            @pytest.fixture
            def source(self, tmp_path):
                return SongSource(write_tab(tmp_path / "A" / "one.tab"), tmp_path)

    The song should have an arrangement with notes, a cover and a stem. A fixture more is asked if
    you give it: ``broken_source``, a song that is claimed but cannot be read.
    """

    @pytest.fixture
    def song_format(self) -> SongFormat:
        """The reader."""
        raise missing("song_format")

    @pytest.fixture
    def source(self) -> SongSource:
        """A song that it can read, whole."""
        raise missing("source")

    @pytest.fixture
    def broken_source(self) -> SongSource | None:
        """A song that is claimed and cannot be read; or None."""
        return None

    def test_it_says_what_it_is(self, song_format: SongFormat) -> None:
        assert isinstance(song_format, SongFormat)
        assert _NAME.fullmatch(song_format.name), "name: lower case, digits, - and _"
        assert isinstance(song_format.suffixes, frozenset), "suffixes is a frozenset of texts"
        for suffix in song_format.suffixes:
            assert _SUFFIX.fullmatch(suffix), "a suffix begins with a dot, in lower case"

    def test_it_can_be_sent_to_another_process(
        self, song_format: SongFormat, source: SongSource
    ) -> None:
        sent = pickle.loads(pickle.dumps(song_format))
        assert sent.metadata(source) == song_format.metadata(source)

    def test_it_claims_its_songs(self, song_format: SongFormat, source: SongSource) -> None:
        assert song_format.claims(source.path, _files(source.path)) is True

    def test_it_claims_nothing_else(self, song_format: SongFormat, tmp_path: Path) -> None:
        folder = tmp_path / "no song"
        folder.mkdir()
        (folder / "notes.txt").write_text("milk")
        assert song_format.claims(folder, ["notes.txt"]) is False
        assert song_format.claims(folder / "notes.txt", None) is False

    def test_the_signature_is_that_of_the_content(
        self, song_format: SongFormat, source: SongSource, tmp_path: Path
    ) -> None:
        copy = _copied(source, tmp_path / "copy")
        before = song_format.signature(copy)
        assert isinstance(before, str)
        assert before
        assert song_format.signature(copy) == before
        file = next(each for each in _tree(copy.path) if each.is_file())
        status = file.stat()
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
        assert song_format.signature(copy) != before, "an edit in place was not seen"

    def test_metadata_is_of_the_right_shape(
        self, song_format: SongFormat, source: SongSource
    ) -> None:
        found = song_format.metadata(source)
        assert isinstance(found, SongMetadata)
        assert all(isinstance(text, str) for text in (found.title, found.artist, found.album))
        assert found.year is None or _whole(found.year)
        assert _finite(found.duration), "duration is finite"
        assert found.duration >= 0
        assert isinstance(found.tuning, tuple)
        assert all(_whole(each) for each in found.tuning)
        assert isinstance(found.arrangements, tuple)
        assert isinstance(found.stems, tuple)
        assert isinstance(found.has_lyrics, bool)
        check_json(_plain(found.extra))

    def test_arrangements_are_in_order(self, song_format: SongFormat, source: SongSource) -> None:
        found = song_format.metadata(source).arrangements
        assert all(isinstance(each, SongArrangement) and each.name for each in found)
        ranks = [arrangement_rank(each.name) for each in found]
        assert ranks == sorted(ranks), "Lead, Combo, Rhythm, Bass, then all others"

    def test_charts_are_what_the_highway_draws(
        self, song_format: SongFormat, source: SongSource
    ) -> None:
        arrangements = song_format.metadata(source).arrangements
        assert any(each.notes for each in arrangements), "give source an arrangement with notes"
        for index, arrangement in enumerate(arrangements):
            if arrangement.notes:
                chart = song_format.chart(source, index)
                check_chart(chart)
                assert chart.count() == arrangement.notes, "metadata counts other notes"

    def test_there_is_no_chart_beyond_the_last(
        self, song_format: SongFormat, source: SongSource
    ) -> None:
        with pytest.raises(NotFound):
            song_format.chart(source, len(song_format.metadata(source).arrangements))
        with pytest.raises(NotFound):
            song_format.chart(source, -1)

    def test_the_cover_is_a_picture(self, song_format: SongFormat, source: SongSource) -> None:
        cover = song_format.cover(source)
        assert (cover is not None) == song_format.metadata(source).has_cover
        if cover is not None:
            assert isinstance(cover, SongCover)
            assert cover.media_type in _COVERS
            assert 0 < len(cover.content) <= 32 * 1024 * 1024
            if cover.path is not None:
                assert cover.path.read_bytes() == cover.content, "path holds these bytes"

    def test_stems_are_streams(self, song_format: SongFormat, source: SongSource) -> None:
        for index, stem in enumerate(song_format.metadata(source).stems):
            assert isinstance(stem, SongStem)
            assert stem.stem_id
            if stem.media_type is None:
                with pytest.raises(NotFound):
                    song_format.stem(source, index)
                continue
            with song_format.stem(source, index) as sound:
                assert isinstance(sound, SongStream)
                assert stem.size in (None, sound.size)
                assert sound.media_type == stem.media_type
                _check_stream(sound)

    def test_there_is_no_stem_beyond_the_last(
        self, song_format: SongFormat, source: SongSource
    ) -> None:
        with pytest.raises(NotFound):
            song_format.stem(source, len(song_format.metadata(source).stems))
        with pytest.raises(NotFound):
            song_format.stem(source, -1)

    def test_reading_writes_nothing(self, song_format: SongFormat, source: SongSource) -> None:
        before = _state(source.root)
        metadata = song_format.metadata(source)
        song_format.cover(source)
        for index, arrangement in enumerate(metadata.arrangements):
            if arrangement.notes:
                song_format.chart(source, index)
        for index, stem in enumerate(metadata.stems):
            if stem.media_type is not None:
                song_format.stem(source, index).close()
        assert _state(source.root) == before

    def test_a_broken_song_says_why(
        self, song_format: SongFormat, broken_source: SongSource | None
    ) -> None:
        if broken_source is None:
            pytest.skip("the suite has no fixture broken_source")
        with pytest.raises(UnreadableSong) as caught:
            song_format.metadata(broken_source)
        assert caught.value.message
        assert str(broken_source.root) not in caught.value.message, "no path of the machine"


def _check_note(note: Mapping[str, Any], *, timed: bool) -> None:
    needed = {"t", "s", "f"} if timed else {"s", "f"}
    _check_keys(note, needed, _FLAGS | _NUMBERS.keys() | {"bnv"})
    assert _whole(note["s"], 0)
    assert _whole(note["f"], 0)
    for name, value in note.items():
        if name in _FLAGS:
            assert value is True, f"{name}: flags go out only as true"
        elif name == "bnv":
            assert value, "bnv: a curve without points is left out"
        else:
            assert _finite(value), f"{name} is a number"
            assert name not in _NUMBERS or value != _NUMBERS[name], f"{name} is at its default"


def _check_keys(
    item: Mapping[str, Any], needed: set[str], optional: set[str] | frozenset[str] = frozenset()
) -> None:
    assert needed <= item.keys(), f"{sorted(needed - item.keys())} are missing"
    assert item.keys() <= needed | optional, f"{sorted(item.keys() - needed - optional)}"


def _check_order(items: Sequence[Mapping[str, Any]], key: str) -> None:
    times = [item[key] for item in items]
    assert all(map(_finite, times)), f"{key} is a finite number"
    assert times == sorted(times), f"not in order of {key}"


def _check_stream(sound: SongStream) -> None:
    assert sound.stream.seekable()
    whole = sound.stream.read()
    assert len(whole) == sound.size
    middle = sound.size // 2
    assert sound.stream.seek(middle) == middle
    assert sound.stream.read(16) == whole[middle : middle + 16]
    if sound.path is not None:
        assert sound.path.read_bytes() == whole, "path is not the file with these bytes"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any, least: int | None = None) -> bool:
    fits = isinstance(value, int) and not isinstance(value, bool)
    return fits and (least is None or value >= least)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _files(path: Path) -> list[str] | None:
    if not path.is_dir():
        return None
    return sorted(each.name for each in path.iterdir() if each.is_file())


def _tree(path: Path) -> list[Path]:
    return sorted(path.rglob("*")) if path.is_dir() else [path]


def _state(root: Path) -> list[tuple[Path, int, int]]:
    return [(each, (found := each.stat()).st_size, found.st_mtime_ns) for each in _tree(root)]


def _copied(source: SongSource, folder: Path) -> SongSource:
    folder.mkdir()
    target = folder / source.path.name
    if source.path.is_dir():
        shutil.copytree(source.path, target)
    else:
        shutil.copy2(source.path, target)
    return SongSource(target, folder)
