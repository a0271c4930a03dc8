"""Loose folders: what is one, and where its values come from."""

from __future__ import annotations

import json
import stat
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from builtin_plugins.song_formats import wem
from builtin_plugins.song_formats.loose import LooseFormat
from plugin_sdk import NotFound, UnreadableSong

FORMAT = LooseFormat()
OGG = b"OggS" + bytes(60)


def song(inner: str = "", **attributes: str) -> str:
    stated = "".join(f' {name}="{value}"' for name, value in attributes.items())
    level = '<levels><level difficulty="0"><notes><note time="1" string="0" fret="3"/></notes>'
    end = "</level></levels>"
    body = inner if "<levels>" in inner else inner + level + end
    return f"<?xml version='1.0' encoding='utf-8'?>\n<song{stated}>{body}</song>"


def claims(source) -> bool:
    names = [each.name for each in source.path.iterdir() if each.is_file()]
    return FORMAT.claims(source.path, names)


@pytest.mark.parametrize(
    ("files", "is_song"),
    [
        ({"a.xml": song(), "a.wem": b"x"}, True),
        ({"A.XML": song(), "a.FLAC": b"x"}, True),
        ({"a.xml": song()}, False),
        ({"a.ogg": OGG}, False),
        ({"a.xml": song(), "preview.ogg": OGG}, False),
        ({"a.xml": song(), "._a.ogg": OGG}, False),
        ({"._a.xml": song(), "a.ogg": OGG}, False),
        ({"a.xml": "<vocals/>", "a.ogg": OGG}, False),
        ({"a.xml": "<vocals/>", "b.xml": song(), "a.ogg": OGG}, True),
        ({"a.xml": "<!DOCTYPE song []>" + "<song/>", "a.ogg": OGG}, False),
        ({"a.xml": "no xml", "a.ogg": OGG}, False),
        ({"a.xml": "<!-- " + "x" * 60_000 + " --><song/>", "a.ogg": OGG}, True),
    ],
    ids=range(12),
)
def test_what_is_a_loose_song(packs, files, is_song):
    assert claims(packs.files("song", files)) is is_song


@pytest.mark.parametrize("name", ["x.sloppak", "x.FEEDPAK", "x.psarc"])
def test_a_pack_is_no_loose_song(packs, name):
    assert not claims(packs.files(name, {"a.xml": song(), "a.ogg": OGG}))


def test_values_come_from_the_manifest_first(packs):
    manifest = {
        "title": "MT", "artist": 7, "year": "2001", "duration": 12.5,
        "tuning_offsets": [-1] * 6,
        "arrangements": [{"type": "bass", "file": "x.xml"}, {"name": "Solo", "file": "y.xml"}],
    }  # fmt: skip
    stated = "<title>XT</title><albumName>XA</albumName><songLength>99</songLength>"
    files = {
        "x.xml": song(stated),
        "y.xml": song(),
        "a.ogg": OGG,
        "manifest.json": json.dumps(manifest),
    }
    found = FORMAT.metadata(packs.files("Artist/Album/Song", files))
    assert (found.title, found.artist, found.album, found.year) == ("MT", "7", "XA", 2001)
    assert (found.duration, found.tuning) == (12.5, (-1,) * 6)
    assert [each.name for each in found.arrangements] == ["Bass", "Solo"]


def test_a_yaml_manifest_is_read_when_there_is_no_json(packs):
    files = {"x.xml": song(), "a.ogg": OGG, "manifest.yaml": "artist: Yes\nduration: .nan"}
    found = FORMAT.metadata(packs.files("song", files))
    assert (found.artist, found.duration) == ("Yes", 0)


def test_a_broken_manifest_is_as_good_as_none(packs):
    files = {"x.xml": song("<title>T</title>"), "a.ogg": OGG, "manifest.json": "{"}
    assert FORMAT.metadata(packs.files("song", files)).title == "T"


def test_xml_comes_before_the_folders_names(packs):
    inner = "<artistName>XArtist</artistName><albumYear>1987</albumYear>"
    found = FORMAT.metadata(
        packs.files("Artist/Album/Song", {"x.xml": song(inner, title="XT"), "a.ogg": OGG})
    )
    assert (found.title, found.artist, found.album, found.year) == ("XT", "XArtist", "Album", 1987)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A/B/C", ("C", "B", "A")),
        ("B/C", ("C", "B", "")),
        ("C", ("C", "", "")),
        ("Moto\u0308rhead/C", ("C", "Motörhead", "")),
    ],
)
def test_folders_names_are_the_last_resort(packs, name, expected):
    found = FORMAT.metadata(packs.files(name, {"x.xml": song(), "a.ogg": OGG}))
    assert (found.title, found.album, found.artist) == expected


@pytest.mark.parametrize("length", ["nan", "inf", "-5", "", "x"])
def test_a_duration_that_is_none(packs, length):
    files = {"x.xml": song(f"<songLength>{length}</songLength>"), "a.ogg": OGG}
    assert FORMAT.metadata(packs.files("song", files)).duration == 0


def test_kinds_and_their_order(packs):
    parts = {
        "1_bass.xml": "", "2_humstrum.xml": "", "3_rhythm.xml": "", "4_lead.xml": "",
        "5.xml": "PART REAL_BASS_22", "6.xml": "Part Guitar_Bonus", "7.xml": "Banjo", "8.xml": "",
        "9.xml": "PART REAL_GUITAR_22",
    }  # fmt: skip
    files = {n: song(f"<arrangement>{part}</arrangement>") for n, part in parts.items()}
    found = FORMAT.metadata(packs.files("song", {**files, "a.ogg": OGG}))
    assert [each.name for each in found.arrangements] == [
        "Lead", "Lead", "Combo", "Rhythm", "Rhythm", "Bass", "Bass 2", "Bonus Lead", "Banjo",
    ]  # fmt: skip


def test_a_broken_arrangement_stays_listed(packs):
    files = {"bass.xml": "<song><broken", "lead.xml": song(), "a.ogg": OGG}
    source = packs.files("song", files)
    found = FORMAT.metadata(source).arrangements
    assert [(each.name, each.notes) for each in found] == [("Lead", 1), ("Bass", 0)]
    with pytest.raises(NotFound):
        FORMAT.chart(source, 1)


def test_lyrics_and_no_showlights(packs):
    vocals = (
        '<vocals><vocal time="2" note="1" length="0.5" lyric="la+"/>'
        '<vocal time="1" lyric="o-"/></vocals>'
    )
    files = {
        "a_vocals.xml": vocals, "lead.xml": song(), "a.ogg": OGG,
        "a_showlights.xml": "<showlights/>",
    }  # fmt: skip
    source = packs.files("song", files)
    assert FORMAT.metadata(source).has_lyrics
    assert FORMAT.chart(source, 0).lyrics == [
        {"t": 1, "d": 0, "w": "o-"}, {"t": 2, "d": 0.5, "w": "la+"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ({"big.ogg": b"x" * 99, "audio.mp3": b"1", "song.ogg": b"22"}, b"1"),
        ({"big.ogg": b"x" * 99, "Song.wav": b"22"}, b"22"),
        ({"big.ogg": b"x" * 99, "small.ogg": b"1", "preview_huge.ogg": b"x" * 999}, b"x" * 99),
    ],
    ids=["audio", "song", "largest"],
)
def test_which_sound_is_taken(packs, files, chosen):
    source = packs.files("song", {"lead.xml": song(), **files})
    with FORMAT.stem(source, 0) as sound:
        assert sound.stream.read() == chosen
        assert sound.path is not None


def test_covers_in_their_order(packs):
    png, jpeg = packs.png(), b"\xff\xd8\xff" + bytes(20)
    files = {"lead.xml": song(), "a.ogg": OGG, "folder.png": png, "COVER.jpeg": jpeg}
    source = packs.files("song", files)
    assert FORMAT.cover(source).media_type == "image/jpeg"
    packs.files("song", {"album_art.jpg": "no picture", "album_art.png": png})
    assert FORMAT.cover(source).media_type == "image/png"


def test_hidden_files_are_passed_over(packs):
    files = {"lead.xml": song(), "a.ogg": OGG, "._lead.xml": "x", "._song.ogg": b"x" * 999}
    source = packs.files("song", files)
    found = FORMAT.metadata(source)
    assert (len(found.arrangements), found.stems[0].size) == (1, len(OGG))


def test_links_that_lead_outside_are_ignored(packs):
    (packs.root / "outside.xml").write_text(song())
    (packs.root / "outside.ogg").write_bytes(OGG * 100)
    source = packs.files("song", {"lead.xml": song(), "a.ogg": OGG})
    (source.path / "bass.xml").symlink_to(packs.root / "outside.xml")
    (source.path / "audio.ogg").symlink_to(packs.root / "outside.ogg")
    found = FORMAT.metadata(source)
    assert len(found.arrangements) == 1
    assert found.stems[0].size == len(OGG)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program on an otherwise empty path."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, code: str) -> None:
        path = folder / name
        path.write_text(f"#!{sys.executable}\n" + textwrap.dedent(code))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return put


WEM = {"lead.xml": song(), "song.wem": b"wem!"}


def test_wem_without_a_program_is_no_sound(packs, program):
    source = packs.files("song", WEM)
    (stem,) = FORMAT.metadata(source).stems
    assert (stem.media_type, FORMAT.metadata(source).mix()) == (None, None)
    with pytest.raises(NotFound):
        FORMAT.stem(source, 0)


def test_wem_is_converted(packs, program):
    program("ffmpeg", """
        import sys
        assert "-nostdin" in sys.argv
        sys.stdout.buffer.write(b"OggS" + sys.stdin.buffer.read())
    """)  # fmt: skip
    source = packs.files("song", WEM)
    assert FORMAT.metadata(source).stems[0].media_type == "audio/ogg"
    with FORMAT.stem(source, 0) as sound:
        assert (sound.stream.read(), sound.size, sound.path) == (b"OggSwem!", 8, None)
        assert sound.media_type == "audio/ogg"
    program("vgmstream-cli", """
        import sys, pathlib
        assert sys.argv[1] == "-p"
        sys.stdout.buffer.write(b"RIFF" + pathlib.Path(sys.argv[2]).read_bytes())
    """)  # fmt: skip
    with FORMAT.stem(source, 0) as sound:
        assert sound.stream.read() == b"OggSRIFFwem!"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "pass", "print('x'); raise SystemExit(1)"])
def test_a_conversion_that_fails(packs, program, code):
    program("ffmpeg", code)
    with pytest.raises(UnreadableSong, match="converted"):
        FORMAT.stem(packs.files("song", WEM), 0)


def test_a_conversion_that_hangs_or_floods_is_stopped(packs, program, monkeypatch):
    source = packs.files("song", WEM)
    monkeypatch.setattr(wem, "MAX_SECONDS", 0.2)
    program("ffmpeg", "import time; print('x', flush=True); time.sleep(60)")
    with pytest.raises(UnreadableSong):
        FORMAT.stem(source, 0)
    monkeypatch.setattr(wem, "MAX_SECONDS", 60)
    monkeypatch.setattr(wem, "MAX_BYTES", 1000)
    program("ffmpeg", "import sys\nwhile True: sys.stdout.write('x' * 1000)")
    with pytest.raises(UnreadableSong):
        FORMAT.stem(source, 0)


def test_reading_leaves_no_file_open(packs):
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("open files cannot be listed here")
    source = packs.files("song", {"lead.xml": song(), "a.ogg": OGG, "cover.png": packs.png()})

    def opened() -> set[tuple[str, str]]:
        found = set()
        for each in files.iterdir():
            with suppress(FileNotFoundError):  # that of the listing
                found.add((each.name, str(each.readlink())))
        return found

    before = opened()
    FORMAT.metadata(source)
    FORMAT.chart(source, 0)
    FORMAT.cover(source)
    assert opened() <= before  # what others have forgotten may be closed meanwhile
