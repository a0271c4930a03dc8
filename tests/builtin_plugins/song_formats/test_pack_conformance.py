"""Both formats keep the promises of song formats, in each of their forms."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import pytest
import yaml

from builtin_plugins.song_formats import SongFormats
from builtin_plugins.song_formats.loose import LooseFormat
from builtin_plugins.song_formats.sloppak import SloppakFormat
from plugin_sdk import SongChart, SongSource
from plugin_sdk.testing import FakeContext, PluginSuite, SongFormatSuite

FORMAT = SloppakFormat()
RULES = runpy.run_path(str(Path(__file__).parent / "rules.py"))
CHARTS = {
    "Bass": SongChart(
        tuning=(-2, 0, 0, 0),
        notes=[{"t": 1.0, "s": 0, "f": 3, "sus": 0.5, "sl2": 7, "mute": True, "slp": True}],
        beats=[{"time": 0.5, "measure": 1}],
    ),
    "Lead": SongChart(
        notes=[{"t": 0.5, "s": 5, "f": 12, "harm": True, "bnv": [{"t": 0.6, "v": 1.0}]}],
        chords=[{"t": 2.0, "id": 0, "hd": True, "notes": [{"s": 0, "f": 1}]}],
        chord_templates=[
            {"name": "F5", "displayName": "F5", "frets": [1, 3, 3, -1, -1, -1],
             "fingers": [1, 3, 4, -1, -1, -1], "arpeggio": False}
        ],
        tone_base="clean",
        tone_changes=[{"time": 3.0, "name": "lead"}],
    ),
}  # fmt: skip

SONG_XML = """<song version="8"><title>T</title><arrangement>Lead</arrangement>
<levels><level difficulty="0"><notes><note time="1.5" string="2" fret="3" bend="1.0"/></notes>
<chords/><anchors><anchor time="1" fret="3"/></anchors></level></levels></song>"""


@pytest.fixture
def pack(packs):
    pack = packs.of(
        CHARTS,
        stems={"full.ogg": b"OggS" + bytes(9000), "drums.flac": b"fLaC1"},
        lyrics=[{"t": 1, "d": 1, "w": "la"}, {"t": 2, "d": 0, "w": "+"}],
        cover=packs.png(),
        year=1999,
    )
    pack.check_rules()
    pack.manifest["stems"].append({"id": "gone", "file": "stems/gone.ogg"})
    return pack


@pytest.fixture
def broken_source(packs):
    packs.files("", {"broken.sloppak": b"no archive"})
    return SongSource(packs.root / "broken.sloppak", packs.root)


class TestDeflatedPack(SongFormatSuite):
    @pytest.fixture
    def song_format(self):
        return SloppakFormat()

    @pytest.fixture
    def source(self, packs, pack):
        return packs.source(pack, broken=True)  # a stem is missing

    @pytest.fixture
    def broken_source(self, broken_source):
        return broken_source


class TestStoredPack(TestDeflatedPack):
    @pytest.fixture
    def source(self, packs, pack):
        return packs.source(pack, broken=True, compression=zipfile.ZIP_STORED)


class TestFolderPack(TestDeflatedPack):
    @pytest.fixture
    def source(self, packs, pack):
        return packs.folder(pack, broken=True)

    @pytest.fixture
    def broken_source(self, packs):
        return packs.files("empty.feedpak", {"x.txt": b""})


class TestLooseFolder(SongFormatSuite):
    @pytest.fixture
    def song_format(self):
        return LooseFormat()

    @pytest.fixture
    def source(self, packs):
        files = {"lead.xml": SONG_XML, "song.ogg": b"OggS" + bytes(99), "cover.png": packs.png()}
        return packs.files("Artist/Album/Song", files)

    @pytest.fixture
    def broken_source(self, packs):
        return packs.files("broken", {"lead.xml": "<song", "song.ogg": b"OggS"})


class TestSongFormatsIsSound(PluginSuite):
    plugin = "builtin_plugins.song_formats:plugin"


def test_the_plugin_offers_two_formats_and_its_tools():
    with FakeContext("song_formats") as context:
        started = context.start(SongFormats)
        names = [each.name for each in context.providers.entries("song_format")]
        assert names == ["sloppak", "loose"]
        assert context.services.get("song_formats.tools").is_arpeggio("Am-arp")
        context.stop(started)


def _without(key):
    return lambda manifest, files: manifest.pop(key)


BREAKS = {
    "duration": _without("duration"),
    "feedpak_version": lambda manifest, files: manifest.update(feedpak_version="1"),
    "a pointer": lambda manifest, files: manifest.update(cover="../cover.png"),
    "a file": lambda manifest, files: files.pop("arrangements/0.json"),
    "a version": lambda manifest, files: manifest.update(feedpak_version="1.0.0-a..b"),
    "a track": lambda manifest, files: manifest.update(track=0),
    "a language": lambda manifest, files: manifest.update(language="no such language"),
    "words": lambda manifest, files: manifest["lyric_tracks"][0].update(file="cover.png"),
    "a kind of words": lambda manifest, files: manifest["lyric_tracks"][0].pop("kind"),
    "beats": lambda manifest, files: files.update({"time.json": b'{"beats": []}'}),
    "a tempo": lambda m, files: files.update(
        {"time.json": b'{"version": 1, "tempos": [{"time": 0, "bpm": 0}]}'}
    ),
    "a tuning": lambda manifest, files: manifest["arrangements"][0].update(tuning=[]),
    "a default": lambda manifest, files: manifest["stems"][0].update(default="maybe"),
    "a note": lambda manifest, files: files.update({"arrangements/0.json": b'{"notes": [{}]}'}),
    "phrases": lambda manifest, files: files.update({"arrangements/1.json": b'{"phrases": []}'}),
    "lyrics": lambda manifest, files: files.update({"lyrics.json": b"{}"}),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_packs_are_checked_by_rules_that_can_be_broken(packs, broken):
    track = {"id": "en", "file": "lyrics.json", "language": "en-GB", "kind": "original"}
    pack = packs.of(
        CHARTS, lyrics=[], song_timeline="time.json", lyric_tracks=[track], language="en", track=1
    )
    pack.files["time.json"] = b'{"version": 1, "tempos": [{"time": 0, "bpm": 99.5}]}'
    pack.check_rules()
    BREAKS[broken](pack.manifest, pack.files)
    with pytest.raises(AssertionError):
        pack.check_rules()


TESTS = Path(__file__).parents[2]


def _judged(pack, files):
    manifest = yaml.safe_load(files.pop("manifest.yaml"))
    assert FORMAT.metadata(SongSource(pack, pack.parent)).title == str(manifest["title"])
    return RULES["broken_rules"](manifest, files)


def test_packs_that_benchmarks_make_are_packs_too(tmp_path):
    made = runpy.run_path(str(TESTS / "benchmarks" / "cases" / "songs_served.py"))
    made["_write_pack"](tmp_path / "1.sloppak", 1)
    with zipfile.ZipFile(tmp_path / "1.sloppak") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert _judged(tmp_path / "1.sloppak", files) == []
    folder = tmp_path / "2.sloppak"
    made["_write_folder"](folder, 1000)
    assert _judged(folder, {each.name: each.read_bytes() for each in folder.iterdir()}) == []


def test_packs_that_browser_tests_make_are_packs_too(tmp_path):
    pytest.importorskip("playwright")
    folder = tmp_path / "played.feedpak"
    runpy.run_path(str(TESTS / "browser" / "test_songs.py"))["write_pack"](folder)
    assert _judged(folder, {each.name: each.read_bytes() for each in folder.iterdir()}) == []
