"""PSARC archives: their container, their charts, and what happens without keys."""

from __future__ import annotations

import io
import random
import stat
import struct
import sys
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from PIL import Image

from builtin_plugins.psarc_format import container
from builtin_plugins.psarc_format.container import Container
from builtin_plugins.psarc_format.keys import Keys
from builtin_plugins.psarc_format.provider import PsarcFormat
from builtin_plugins.psarc_format.sng import open_sng
from builtin_plugins.song_formats.tools import SongTools
from plugin_sdk import NotFound, UnreadableSong
from plugin_sdk.testing import FakeServices, FakeSettings, SongFormatSuite

PC = "songs/bin/generic/song_{}.sng"
ARR = "songs/arr/song_{}.xml"
MANIFEST = "manifests/songs_dlc_song/song_{}.json"
TUNING = {f"string{i}": -1 for i in range(6)}


def chart(psarcs, **parts):
    notes = [{"t": 1.0, "f": 5}, {"t": 2.0, "s": 1, "f": 7}]
    return psarcs.sng(levels=[{"notes": notes}], **parts)


@pytest.fixture
def files(psarcs):
    vocals = psarcs.sng(vocals=[(1.0, 0.5, "hal-"), (1.5, 0.5, "lo"), (2.0, 0, "+")])
    return {
        PC.format("lead"): chart(psarcs, capo=2).sealed(psarcs.keys.sng_pc),
        PC.format("vocals"): vocals.sealed(psarcs.keys.sng_pc),
        ARR.format("bass"): psarcs.xml,
        ARR.format("showlights"): b"<showlights/>",
        MANIFEST.format("lead"): psarcs.manifest(
            "Lead", SongName="T", ArtistName="A", AlbumName="B", SongYear=1999, SongLength=200.5,
            NotesHard=2, Tuning=TUNING, CentOffset=3.5,
        ),
        MANIFEST.format("bass"): psarcs.manifest("Bass", NotesEasy=1),
        MANIFEST.format("vocals"): psarcs.manifest("Vocals"),
        MANIFEST.format("jvocals"): psarcs.manifest("JVocals"),
        "gfxassets/album_art/album_x_64.dds": psarcs.dds(2),
        "gfxassets/album_art/album_x_256.dds": psarcs.dds(8),
        "audio/windows/123.wem": b"RIFF" + bytes(range(256)) * 600,
        "audio/windows/9.wem": b"preview",
        "audio/windows/song.bnk": b"BKHD",
    }  # fmt: skip


class TestEncryptedArchive(SongFormatSuite):
    @pytest.fixture
    def song_format(self, psarcs):
        return psarcs.reader()

    @pytest.fixture
    def source(self, psarcs, files):
        return psarcs.source(files, keys=psarcs.keys)

    @pytest.fixture
    def broken_source(self, psarcs):
        return psarcs.written(b"PSAR and no more")


class TestAsRegistered(TestEncryptedArchive):
    """What is pickled holds the keys of the present settings."""

    @pytest.fixture
    def song_format(self, psarcs):
        keys = psarcs.keys
        values = {
            "tocKey": keys.toc_key.hex(),
            "tocIv": keys.toc_iv.hex().upper(),
            "sngKeyPc": keys.sng_pc.hex(),
            "sngKeyMac": "",
        }
        services = FakeServices("song_formats")
        services.offer("song_formats.tools", SongTools())
        return PsarcFormat(FakeSettings(values), services)


def test_what_an_archive_says(psarcs, files):
    found = psarcs.reader().metadata(psarcs.source(files, keys=psarcs.keys))
    assert (found.title, found.artist, found.album, found.year) == ("T", "A", "B", 1999)
    assert (found.duration, found.tuning, found.has_lyrics) == (200.5, (-1,) * 6, True)
    assert [(each.name, each.notes) for each in found.arrangements] == [("Lead", 2), ("Bass", 1)]
    assert [stem.media_type for stem in found.stems] == [None], "nothing here plays wem"


def test_what_its_charts_say(psarcs, files):
    reader, source = psarcs.reader(), psarcs.source(files, keys=psarcs.keys)
    lead = reader.chart(source, 0)
    assert (lead.tuning, lead.capo, lead.cent_offset) == ((-1,) * 6, 2, 3.5)
    assert [note["f"] for note in lead.notes] == [5, 7]
    assert [each["w"] for each in lead.lyrics] == ["hal-", "lo+"]
    assert reader.chart(source, 1).tuning == (-2, 0, 0, 0, 0, 0)


def test_the_largest_art_is_the_cover(psarcs, files):
    cover = psarcs.reader().cover(psarcs.source(files, keys=psarcs.keys))
    assert Image.open(io.BytesIO(cover.content)).size == (8, 8)
    assert Image.open(io.BytesIO(cover.content)).getpixel((0, 0)) == (0x30, 0x20, 0x10)


def sized(art, width, height):
    """The art, with other sides stated."""
    return art[:12] + struct.pack("<II", height, width) + art[20:]


def test_art_may_have_8192_pixels_on_a_side(psarcs):
    files = {ARR.format("lead"): psarcs.xml}
    files["gfxassets/album_art/album_x_64.dds"] = sized(psarcs.dds(128), 8192, 2)
    cover = psarcs.reader().cover(psarcs.source(files))
    assert Image.open(io.BytesIO(cover.content)).size == (8192, 2)


@pytest.mark.parametrize("art", [b"", b"DDS ", b"DDS " + b"\xff" * 200, b"\x89PNG", 8193, 99_000])
def test_art_that_is_none(psarcs, art):
    art = sized(psarcs.dds(4), art, art) if isinstance(art, int) else art
    files = {ARR.format("lead"): psarcs.xml, "gfxassets/album_art/album_x_64.dds": art}
    source = psarcs.source(files)
    assert psarcs.reader().cover(source) is None
    assert psarcs.reader().metadata(source).has_cover is False


def test_the_sound_is_converted(psarcs, files, no_programs):
    program = no_programs / "ffmpeg"
    code = "import sys; sys.stdout.buffer.write(b'OggS' + sys.stdin.buffer.read())"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    reader, source = psarcs.reader(), psarcs.source(files, keys=psarcs.keys)
    assert reader.metadata(source).stems[0].media_type == "audio/ogg"
    with reader.stem(source, 0) as sound:
        assert sound.stream.read() == b"OggS" + files["audio/windows/123.wem"]
        assert (sound.size, sound.path) == (4 + 4 + 256 * 600, None)


def test_without_keys_an_encrypted_archive_says_so(psarcs, files):
    reader, source = psarcs.reader(Keys()), psarcs.source(files, keys=psarcs.keys)
    for read in (reader.metadata, reader.cover, lambda source: reader.chart(source, 0)):
        with pytest.raises(UnreadableSong, match=r"^keys are not configured$"):
            read(source)


def test_without_keys_a_binary_chart_says_so(psarcs, files):
    with pytest.raises(UnreadableSong, match=r"^keys are not configured$"):
        psarcs.reader(Keys()).metadata(psarcs.source(files))


def test_charts_in_xml_need_no_keys_and_no_manifest(psarcs):
    files = {ARR.format("lead"): psarcs.xml, ARR.format("rhythm2"): psarcs.xml}
    found = psarcs.reader(Keys()).metadata(psarcs.source(files))
    assert (found.title, found.artist, found.duration) == ("XT", "XA", 77)
    assert [(each.name, each.notes) for each in found.arrangements] == [("Lead", 1), ("Rhythm", 1)]


def test_xml_beats_a_binary_chart(psarcs):
    files = {
        ARR.format("lead"): psarcs.xml,
        PC.format("lead"): chart(psarcs).sealed(psarcs.keys.sng_pc),
    }
    assert psarcs.reader(Keys()).chart(psarcs.source(files), 0).notes[0]["t"] == 1.5


def test_wrong_keys_are_no_crash(psarcs, files):
    wrong = Keys(bytes(32), bytes(16), bytes(32), bytes(32))
    with pytest.raises(UnreadableSong):
        psarcs.reader(wrong).metadata(psarcs.source(files, keys=psarcs.keys))
    with pytest.raises(UnreadableSong, match="configured keys"):
        open_sng(files[PC.format("lead")], wrong, mac=False)


def test_charts_of_the_mac_have_a_key_of_their_own(psarcs):
    files = {
        "songs/bin/macos/song_lead.sng": chart(psarcs).sealed(psarcs.keys.sng_mac),
        PC.format("bass"): chart(psarcs).sealed(psarcs.keys.sng_mac),
    }
    found = psarcs.reader().metadata(psarcs.source(files))
    assert [each.notes for each in found.arrangements] == [2, 2]


def test_keys_are_never_shown(psarcs):
    assert psarcs.keys.toc_key.hex()[:8] not in repr(psarcs.keys)
    assert "x00" not in repr(psarcs.keys)


def test_bonus_arrangements_are_named_so(psarcs):
    properties = {"pathLead": 1, "bonusArr": 1, "represent": 0}
    files = {
        ARR.format("lead2"): psarcs.xml,
        MANIFEST.format("lead2"): psarcs.manifest("Lead", ArrangementProperties=properties),
        ARR.format("lead"): psarcs.xml,
    }
    found = psarcs.reader().metadata(psarcs.source(files))
    assert [each.name for each in found.arrangements] == ["Lead", "Bonus Lead"]


def test_what_is_no_arrangement_is_not_listed(psarcs):
    sealed = chart(psarcs).sealed(psarcs.keys.sng_pc)
    files = {PC.format(name): sealed for name in ("lead", "jvocals", "vocals", "showlights")}
    found = psarcs.reader().metadata(psarcs.source(files))
    assert [each.name for each in found.arrangements] == ["Lead"]


@pytest.mark.parametrize(
    ("stated", "year"),
    [(1999, 1999), (1999.0, 1999), ("1999", 1999), (-1, None), (True, None), ("x", None)],
    ids=str,
)
def test_years(psarcs, stated, year):
    manifest = psarcs.manifest("Lead", SongYear=stated)
    files = {ARR.format("lead"): psarcs.xml, MANIFEST.format("lead"): manifest}
    assert psarcs.reader().metadata(psarcs.source(files)).year == year


def test_a_broken_chart_stays_listed(psarcs):
    files = {ARR.format("lead"): psarcs.xml, ARR.format("bass"): b"<song"}
    source = psarcs.source(files)
    assert [e.notes for e in psarcs.reader().metadata(source).arrangements] == [1, 0]
    with pytest.raises(NotFound):
        psarcs.reader().chart(source, 1)
    with pytest.raises(UnreadableSong, match="no arrangement"):
        psarcs.reader().metadata(psarcs.source({ARR.format("bass"): b"<song"}))


# The container


def test_entries_of_every_size_are_read_back(psarcs):
    noise = random.Random(1).randbytes
    files = {
        "empty": b"", "one": b"1", "text": b"x" * 200_000, "noise": noise(150_000),
        "block": noise(65_536), "two blocks": b"y" * 131_072, "ü/name": b"z",
    }  # fmt: skip
    source = psarcs.source(files, keys=psarcs.keys)
    with Container(source.path, psarcs.keys) as found:
        assert found.names == list(files)
        for name, content in files.items():
            assert found.read(name) == content
            target = io.BytesIO()
            found.copy(name, target)
            assert target.getvalue() == content


def head(**changes):
    values = {
        "magic": b"PSAR", "major": 1, "minor": 4, "method": b"zlib", "toc": 62, "size": 30,
        "count": 1, "block": 65_536, "flags": 0,
    } | changes  # fmt: skip
    return struct.pack(">4sHH4sIIIII", *values.values())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        head(),
        head(magic=b"PSAS") + bytes(30),
        head(minor=5) + bytes(30),
        head(method=b"lzma") + bytes(30),
        head(count=0) + bytes(30),
        head(count=100_001) + bytes(30),
        head(size=20) + bytes(30),
        head(size=101) + bytes(99),
        head(block=0) + bytes(30),
        head(block=2**32 - 1) + bytes(30),
        head(toc=2**32 - 1) + bytes(30),
        head(toc=3) + bytes(30),
        head(count=2) + bytes(30),
        head() + bytes(20) + b"\xff" * 5 + bytes(5),
        head() + bytes(20) + (51 * 1024 * 1024).to_bytes(5) + bytes(5),
        head() + bytes(24) + b"\x01" + bytes(5),
    ],
    ids=range(17),
)
def test_what_is_no_archive(psarcs, content):
    with pytest.raises(UnreadableSong) as caught:
        psarcs.reader().metadata(psarcs.written(content))
    assert str(psarcs.root) not in caught.value.message


def test_a_block_never_inflates_beyond_its_size():
    bomb = zlib.compress(bytes(60 * 1024 * 1024))
    assert len(bomb) < 65_536
    tracemalloc.start()
    assert container._inflated(bomb, 65_536) == bomb, "what does not fit is no block of zlib"
    assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    tracemalloc.stop()
    assert container._inflated(zlib.compress(bytes(60_000)), 65_536) == bytes(60_000)


def read_all(source):
    with Container(source.path, Keys()) as found:
        for name in found.names:
            found.read(name)


def test_an_archive_that_ends_too_early(psarcs, files):
    whole = psarcs.archive(files)
    for length in (10, 40, 200, len(whole) // 2, len(whole) - 1):
        source = psarcs.written(whole[:length])
        with pytest.raises(UnreadableSong):
            read_all(source)


def test_large_entries_are_never_read_whole(psarcs, monkeypatch):
    monkeypatch.setattr(container, "MAX_WHOLE", 1000)
    source = psarcs.source({"small": b"1" * 1000, "large": b"1" * 1001})
    with Container(source.path, Keys()) as found:
        assert found.read("small")
        with pytest.raises(UnreadableSong, match="too large"):
            found.read("large")


def test_every_flipped_byte_is_survived(psarcs):
    files = {
        ARR.format("lead"): psarcs.xml,
        PC.format("bass"): chart(psarcs).sealed(psarcs.keys.sng_pc),
        MANIFEST.format("bass"): psarcs.manifest("Bass"),
        "gfxassets/album_art/a_64.dds": psarcs.dds(2),
    }
    whole = bytearray(psarcs.archive(files))
    for at in range(0, len(whole), 5):
        whole[at] ^= 0xFF
        source = psarcs.written(bytes(whole))
        with suppress(UnreadableSong):
            psarcs.reader().metadata(source)
            psarcs.reader().cover(source)
        whole[at] ^= 0xFF
