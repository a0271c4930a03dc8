"""Pictures and sound that are tiny, damaged, or there no more."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from builtin_plugins.songs.facts import Stem
from builtin_plugins.songs.pictures import as_png, is_picture
from plugin_sdk import NotFound, SongSource, SongStream, UnreadableSong
from plugin_sdk.testing import FakeSongFormat


def picture(format: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, "red").save(content, format)
    return content.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_pictures_may_be_tiny(format: str) -> None:
    for size in ((1, 1), (7, 3), (200, 1)):
        content = picture(format, size)
        assert is_picture(content)
        converted = as_png(content)
        assert converted is not None
        assert Image.open(io.BytesIO(converted)).size == size


class _Torn(io.RawIOBase):
    """Sound that is damaged behind its beginning."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise UnreadableSong("full.ogg is damaged")


class Torn(FakeSongFormat):
    name = "sloppak"

    def stem(self, source: SongSource, index: int) -> SongStream:
        return SongStream(io.BufferedReader(_Torn()), "audio/ogg", 9)


def test_damaged_sound_is_none(book: Any, tmp_path: Path) -> None:
    book.context.providers.add("song_format", "sloppak", Torn())
    book.context.settings.update({"dlcDir": str(tmp_path)})
    track = book.add("a", stems=[Stem("full", True, None, "audio/ogg", 9)], audio=0)
    with pytest.raises(NotFound, match="damaged"):
        book.ask("GET", "audio", track)


def test_songs_that_are_there_no_more(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a scan sees it, nothing of them can be read; and nothing from anywhere else."""
    track = library.write("deep/a.fakesong", cover=picture(), stems={"full": b"OggS"})
    library.scan()
    monkeypatch.chdir(library.folder)
    path = f"/api/tracks/{track}"
    parts = ("highway", "cover", "audio")
    library.host.post("/api/settings", json={"dlcDir": ""})
    assert [library.host.get(f"{path}/{part}").status for part in parts] == [404] * 3
    library.host.post("/api/settings", json={"dlcDir": str(library.folder)})
    library.settled()
    (library.folder / "deep").rename(library.folder / "elsewhere")
    (library.folder / "deep").write_text("no folder")
    assert [library.host.get(f"{path}/{part}").status for part in parts] == [404] * 3


def test_a_fake_song_has_no_cover(make_library: Callable[..., Any]) -> None:
    library = make_library()
    track = library.write("a.fakesong", cover=b"\x89PNG\r\n\x1a\n broken", stems={"full": None})
    FakeSongFormat.write(library.folder / "b.fakesong", cover=picture())
    library.scan()
    assert [song["hasCover"] for song in library.songs()] == [False, True]
    for part in ("cover", "audio"):
        assert library.host.get(f"/api/tracks/{track}/{part}").status == 404
    data = library.host.get(f"/api/tracks/{track}/data").json()
    assert (data["coverImageStorageId"], data["audioFileStorageId"]) == (None, None)
