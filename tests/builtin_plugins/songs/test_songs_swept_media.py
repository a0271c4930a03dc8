"""Stored copies that a sweep removes while they are asked for, and pictures that lie open."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plugin_sdk import Form, NotFound, SongCover, SongSource, Unavailable
from plugin_sdk.testing import FakeSongFormat, FakeUpload


def picture(colour: str = "red", format: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, format)
    return content.getvalue()


@pytest.fixture
def track(book: Any, folder: Path) -> str:
    """A song whose cover and sound have to be unpacked."""
    FakeSongFormat.write(folder / "a.fakesong", cover=picture(), stems={"full": b"OggS"})
    book.context.jobs.run_all()
    return str(book.listed()[0]["trackId"])


def content(answer: Any) -> bytes:
    """As the host reads it."""
    with answer.body.source.open() as stream:
        found: bytes = stream.read()
    return found


def swept(book: Any) -> None:
    """As by a sweep that found the copies outdated before they were made anew."""
    for row in book.context.db.table("objects").rows_where():
        book.context.blobs.delete(row["key"])
        book.context.db.table("objects").delete(row["key"])


PARTS = {"cover": picture(), "audio": b"OggS"}


@pytest.mark.parametrize("part", PARTS)
def test_a_copy_that_is_swept_is_made_once_more(book: Any, track: str, part: str) -> None:
    for _ in range(2):
        answer = book.ask("GET", part, track)
        swept(book)
        assert content(answer) == PARTS[part]
    assert answer.body.source.info.size == len(PARTS[part])
    assert book.context.db.table("objects").count_where() == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_copy_that_is_swept_as_it_is_made(
    book: Any, track: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = book.context.blobs.put
    turns = iter([True, False, True, True])

    def stored(key: str, *arguments: Any) -> Any:
        info = put(key, *arguments)
        if next(turns):
            book.context.blobs.delete(key)
        return info

    monkeypatch.setattr(book.context.blobs, "put", stored)
    assert content(book.ask("GET", part, track)) == PARTS[part]
    swept(book)
    with pytest.raises(NotFound):  # a store that keeps nothing
        book.ask("GET", part, track)


def test_what_has_changed_meanwhile_is_asked_for_again(book: Any, folder: Path, track: str) -> None:
    answer = book.ask("GET", "audio", track)
    FakeSongFormat.write(folder / "a.fakesong", stems={"full": b"OggS, another"})
    book.plugin.rescan(None)
    book.context.jobs.run_all()
    with pytest.raises(Unavailable) as caught:
        content(answer)
    assert caught.value.retry_after == 1
    assert content(book.ask("GET", "audio", track)) == b"OggS, another"


def test_what_is_deleted_meanwhile_is_not_found(book: Any, track: str) -> None:
    answers = [book.ask("GET", part, track) for part in PARTS]
    book.ask("DELETE", "delete_track", track)
    for answer in answers:
        with pytest.raises(NotFound):
            content(answer)
    assert list(book.context.blobs.list()) == []


def test_an_uploaded_cover_that_is_replaced_meanwhile(
    book: Any, track: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(colour: str) -> None:
        form = Form({}, [FakeUpload("coverImage", picture(colour))])
        book.ask("POST", "edit_track", track, form=form)

    upload("blue")
    answer = book.ask("GET", "cover", track)
    song = book.plugin._songbook.get(track)
    upload("green")
    with pytest.raises(Unavailable):
        content(answer)
    monkeypatch.setattr(book.plugin._songbook, "get", lambda _: song)  # looked up before
    assert content(book.ask("GET", "cover", track)) == picture("green")
    monkeypatch.undo()
    book.edit(track, coverImage=None)
    monkeypatch.setattr(book.plugin._songbook, "get", lambda _: song)
    assert content(book.ask("GET", "cover", track)) == picture()


class Folders(FakeSongFormat):
    """Of folders that hold a picture."""

    name = "folders"
    suffixes = frozenset({".folder"})

    def metadata(self, source: SongSource) -> Any:
        return super().metadata(SongSource(source.path / "song", source.root))

    def cover(self, source: SongSource) -> SongCover | None:
        (path,) = source.path.glob("cover.*")
        kind = "image/png" if path.suffix == ".png" else "image/jpeg"
        return SongCover(path.read_bytes(), kind, path)


class Killed(BaseException):
    """The end of a process: nothing is done after it."""


def test_what_a_killed_upload_leaves_is_swept_later(
    book: Any, track: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    media, blobs = book.plugin._media, book.context.blobs
    put = blobs.put

    def killed(*arguments: Any) -> None:
        put(*arguments)
        raise Killed

    upload = Form({}, [FakeUpload("coverImage", picture("blue"))])
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "put", killed)
        patch.setattr(media, "drop_upload", lambda *_: None)
        with pytest.raises(Killed):
            book.ask("POST", "edit_track", track, form=upload)
        for part in PARTS:
            with pytest.raises(Killed):
                book.ask("GET", part, track)
    media.sweep()
    assert len(blobs.list()) == 1, "an upload may be under way elsewhere"
    book.context.clock.advance(3601)
    media.sweep()
    assert list(blobs.list()) == []
    assert book.context.db.table("objects").count_where() == 0
    assert book.ask("GET", "track", track)["edited"] == []


def test_an_upload_that_was_given_up_is_no_edit(
    book: Any, track: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = book.context.blobs
    put = blobs.put

    def slow(*arguments: Any) -> None:
        put(*arguments)
        book.context.clock.advance(3601)
        book.plugin._media.sweep()

    monkeypatch.setattr(blobs, "put", slow)
    form = Form({"title": "Other"}, [FakeUpload("coverImage", picture("blue"))])
    with pytest.raises(Unavailable, match="send it again"):
        book.ask("POST", "edit_track", track, form=form)
    assert book.ask("GET", "track", track)["edited"] == []
    assert list(blobs.list()) == []


def test_pictures_that_lie_open_are_served_in_place(book: Any, folder: Path) -> None:
    """A PNG; others are converted, and kept. One that changes is judged before it is sent."""
    book.context.providers.add("song_format", "folders", Folders())
    for name, kind in (("a", "png"), ("b", "jpeg")):
        FakeSongFormat.write(folder / f"{name}.folder" / "song", title=name, cover=b"x")
        path = folder / f"{name}.folder" / f"cover.{kind}"
        path.write_bytes(picture(format=kind.upper()))
    book.context.jobs.run_all()
    tracks = {song["title"]: song["trackId"] for song in book.listed()}
    for _ in range(2):
        answer = book.ask("GET", "cover", tracks["a"])
        assert answer.body.source == folder / "a.folder" / "cover.png"
        assert content(book.ask("GET", "cover", tracks["b"])).startswith(b"\x89PNG")
    kept = [row["key"] for row in book.context.db.table("objects").rows_where()]
    assert kept == [f"cover_{tracks['b']}"]
    for changed in (picture("green"), picture()[:40]):
        path = folder / "a.folder" / "cover.png"
        path.write_bytes(changed)
        os.utime(path, ns=(5, len(changed)))
        if changed == picture("green"):
            again = book.ask("GET", "cover", tracks["a"])
            assert again.body.source.read_bytes() == changed
            assert again.body.etag != answer.body.etag
        else:
            with pytest.raises(NotFound):
                book.ask("GET", "cover", tracks["a"])
