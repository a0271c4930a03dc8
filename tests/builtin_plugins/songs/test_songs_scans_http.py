"""Scans of a folder through a real host."""

from __future__ import annotations

from typing import Any

from builtin_plugins.songs.identity import track_id_of


def test_a_song_is_found_shown_and_gone(library: Any) -> None:
    track = library.write("Alpha/first.fakesong", title="T", artist="A", year=1999)
    (library.folder / "bad.fakesong").write_text("no song")
    status = library.scan()
    assert (status["status"], status["added"], status["failed"]) == ("complete", 1, 1)
    assert status["done"] == status["total"] == 2
    assert status["failures"][0]["file"] == "bad.fakesong"
    (song,) = library.songs()
    assert song["trackId"] == track == track_id_of("Alpha/first.fakesong")
    assert library.scan()["unchanged"] == 1
    (library.folder / "Alpha/first.fakesong").unlink()
    assert library.scan()["removed"] == 1
    assert library.songs() == []
