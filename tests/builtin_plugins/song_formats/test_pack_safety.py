"""Packs that would do harm: nothing is read outside, nothing grows without bound."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile

import pytest

from builtin_plugins.song_formats import archive
from builtin_plugins.song_formats.sloppak import SloppakFormat
from plugin_sdk import NotFound, SongSource, UnreadableSong

FORMAT = SloppakFormat()
SECRET = b"\x89PNG\r\n\x1a\n a secret"


def write(packs, content: bytes, name: str = "one.sloppak") -> SongSource:
    path = packs.root / name
    path.write_bytes(content)
    return SongSource(path, packs.root)


def refused(source: SongSource, message: str) -> None:
    for read in (FORMAT.metadata, FORMAT.cover, lambda s: FORMAT.chart(s, 0)):
        with pytest.raises(UnreadableSong, match=message) as caught:
            read(source)
        assert str(source.root) not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"PK\5\6" + bytes(18), b"not an archive" * 10_000, b"PK\5\6" + b"\xff" * 18],
    ids=["empty", "short", "no entries", "text", "nonsense"],
)
def test_what_is_no_archive(packs, content):
    refused(write(packs, content), "not a ZIP archive|no manifest|damaged|entries")


def test_a_cut_archive(packs):
    whole = packs.zipped(packs.of().contents())
    refused(write(packs, whole[: len(whole) // 2]), "not a ZIP archive")


def test_every_flipped_byte_is_survived(packs):
    whole = bytearray(packs.zipped(packs.of(cover=packs.png()).contents()))
    for at in range(0, len(whole), 7):
        whole[at] ^= 0xFF
        source = write(packs, bytes(whole))
        try:
            FORMAT.metadata(source)
            FORMAT.cover(source)
            with FORMAT.stem(source, 0) as sound:
                sound.stream.read()
        except (UnreadableSong, NotFound):
            pass
        whole[at] ^= 0xFF


def test_an_encrypted_archive(packs):
    whole = bytearray(packs.zipped(packs.of().contents()))
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = whole.index(magic)
        whole[at + offset] |= 1
    refused(write(packs, bytes(whole)), "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_compression(packs, method):
    refused(write(packs, packs.zipped(packs.of().contents(), method)), "compression")


def test_entries_that_would_climb_out_are_never_read(packs):
    (packs.root / "outside.png").write_bytes(SECRET)
    pack = packs.of(cover=SECRET)
    pack.files["../outside.png"] = b"x"
    source = packs.source(pack)
    assert FORMAT.metadata(source).title == "Title"
    pack.manifest["cover"] = "../outside.png"
    refused(packs.source(pack, "two.sloppak", broken=True), "cover points")
    refused(packs.folder(pack, "three.sloppak", broken=True), "cover points")


def test_a_manifest_that_inflates_without_end(packs):
    pack = packs.of()
    pack.manifest_bytes = b"#" * (64 * 1024 * 1024)
    source = packs.source(pack, broken=True)
    assert source.path.stat().st_size < 200_000
    tracemalloc.start()
    refused(source, "larger")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_an_entry_that_lies_about_its_size(packs):
    """What counts is what is inflated, not what the directory says."""
    pack = packs.of()
    pack.manifest_bytes = b"#" * (2 * 1024 * 1024)
    whole = bytearray(packs.zipped(pack.contents()))
    for magic, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", whole, whole.index(magic) + offset, 100)
    refused(write(packs, bytes(whole)), "damaged|mapping|larger")


def test_an_arrangement_that_inflates_without_end_is_a_broken_one(packs):
    pack = packs.of()
    pack.files["arrangements/0.json"] = b" " * (33 * 1024 * 1024)
    source = packs.source(pack, broken=True)
    assert FORMAT.metadata(source).arrangements[0].notes == 0
    with pytest.raises(NotFound):
        FORMAT.chart(source, 0)


def test_a_cover_that_is_too_large_is_none(packs):
    pack = packs.of(cover=packs.png() + bytes(33 * 1024 * 1024))
    source = packs.source(pack)
    assert FORMAT.metadata(source).has_cover is False
    assert FORMAT.cover(source) is None


def stating(whole: bytes, ending: str, size: int) -> bytes:
    """The archive, its directory and entries saying that files of such names have that size."""
    found = bytearray(whole)
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        for entry in file.infolist():
            if entry.filename.endswith(ending):
                struct.pack_into("<L", found, entry.header_offset + 22, size)
                listed = found.index(b"PK\1\2")
                while found[listed + 46 :][: len(entry.filename)] != entry.filename.encode():
                    listed = found.index(b"PK\1\2", listed + 1)
                struct.pack_into("<L", found, listed + 24, size)
    return bytes(found)


def test_stems_that_are_too_much_together(packs):
    """Each is within its bound."""
    pack = packs.of(stems={f"{name}.wav": bytes(99) for name in "abc"})
    most = stating(packs.zipped(pack.contents()), ".wav", archive.MAX_SOUNDS // 3)
    assert len(FORMAT.metadata(write(packs, most)).stems) == 3
    bomb = write(packs, stating(most, ".wav", archive.MAX_SOUNDS // 3 + 1))
    refused(bomb, "its stems are larger than 8589934592 bytes when unpacked")
    with pytest.raises(UnreadableSong, match="stems"):
        FORMAT.stem(bomb, 0)


def test_one_file_for_many_stems(packs):
    """It is copied for each of them; of a folder none is copied."""
    size = 3 * 1024**3
    pack = packs.of(stems={"a.wav": bytes(99)})
    pack.manifest["stems"] *= archive.MAX_SOUNDS // size
    whole = stating(packs.zipped(pack.contents()), ".wav", size)
    assert len(FORMAT.metadata(write(packs, whole)).stems) == 2
    pack.manifest["stems"] *= 2
    whole = stating(packs.zipped(pack.contents()), ".wav", size)
    refused(write(packs, whole), "stems are larger")
    source = packs.folder(pack, "open.sloppak")
    os.truncate(source.path / "stems" / "a.wav", size)
    assert len(FORMAT.metadata(source).stems) == 4


def test_a_directory_without_end(packs, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    contents = {**packs.of().contents(), **{f"x{i}": b"" for i in range(5)}}
    refused(write(packs, packs.zipped(contents)), "entries")


def test_an_archive_of_64_bits(packs):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", allowZip64=True) as file:
        for name, content in packs.of().contents().items():
            with file.open(name, "w", force_zip64=True) as entry:
                entry.write(content)
    assert FORMAT.metadata(write(packs, target.getvalue())).title == "Title"


def test_a_link_out_of_the_folder_is_a_missing_file(packs):
    (packs.root / "secret.png").write_bytes(SECRET)
    (packs.root / "out").mkdir()
    (packs.root / "out" / "full.ogg").write_bytes(b"OggS")
    pack = packs.of(cover=SECRET)
    source = packs.folder(pack)
    folder = source.path
    (folder / "art" / "cover.png").unlink()
    (folder / "art" / "cover.png").symlink_to(packs.root / "secret.png")
    (folder / "stems" / "full.ogg").unlink()
    (folder / "stems").rmdir()
    (folder / "stems").symlink_to(packs.root / "out")
    found = FORMAT.metadata(source)
    assert (found.has_cover, found.stems[0].media_type) == (False, None)
    assert FORMAT.cover(source) is None
    with pytest.raises(NotFound):
        FORMAT.stem(source, 0)


def test_a_link_inside_the_folder_is_followed(packs):
    source = packs.folder(packs.of())
    (source.path / "stems" / "full.ogg").rename(source.path / "real.ogg")
    (source.path / "stems" / "full.ogg").symlink_to("../real.ogg")
    with FORMAT.stem(source, 0) as sound:
        assert sound.path == (source.path / "real.ogg").resolve()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_file(packs):
    source = packs.folder(packs.of())
    (source.path / "stems" / "full.ogg").unlink()
    os.mkfifo(source.path / "stems" / "full.ogg")
    assert FORMAT.metadata(source).stems[0].media_type is None


def test_a_library_may_itself_be_a_link(packs, tmp_path):
    packs.folder(packs.of(), "one.sloppak")
    (tmp_path / "link").symlink_to(packs.root)
    source = SongSource(tmp_path / "link" / "one.sloppak", tmp_path / "link")
    assert FORMAT.metadata(source).stems[0].size == 504


def test_a_song_that_vanished_is_an_os_error(packs):
    with pytest.raises(OSError, match="gone"):
        FORMAT.metadata(SongSource(packs.root / "gone.sloppak", packs.root))


def test_names_of_old_archivers_are_found(packs):
    """Some write UTF-8 without saying so."""
    pack = packs.of(stems={"Gitärre.ogg": b"OggS1"})
    whole = bytearray(packs.zipped(pack.contents()))
    at = -1
    while (at := whole.find(b"PK", at + 1)) >= 0:
        offset = {b"\3\4": 7, b"\1\2": 9}.get(bytes(whole[at + 2 : at + 4]))
        if offset:
            whole[at + offset] &= ~0x08
    assert FORMAT.metadata(write(packs, bytes(whole))).stems[0].size == 5


def test_a_damaged_sound_says_so_while_it_is_read(packs):
    sound = bytes(range(256)) * 400
    whole = bytearray(packs.zipped(packs.of(stems={"full.ogg": sound}).contents(), 0))
    whole[whole.index(sound) + 50_000] ^= 1
    with (
        FORMAT.stem(write(packs, bytes(whole)), 0) as sound_read,
        pytest.raises(UnreadableSong, match="damaged"),
    ):
        sound_read.stream.read()


@pytest.mark.parametrize(
    ("name", "codec", "media_type"),
    [
        ("a.ogg", None, "audio/ogg"),
        ("a.OPUS", None, "audio/ogg"),
        ("a.wav", None, "audio/wav"),
        ("a.mp3", None, "audio/mpeg"),
        ("a.flac", None, "audio/flac"),
        ("a.bin", "Vorbis", "audio/ogg"),
        ("a.ogg", "flac", "audio/flac"),
        ("a.ogg", "what", "audio/ogg"),
        ("a", None, "application/octet-stream"),
    ],
)
def test_types_of_sound(packs, name, codec, media_type):
    pack = packs.of(stems={name: b"1"})
    pack.manifest["stems"][0] |= {"id": "full"} | ({"codec": codec} if codec else {})
    assert FORMAT.metadata(packs.source(pack)).stems[0].media_type == media_type
