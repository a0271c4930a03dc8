"""What was deleted comes back when its file changes, or in a full run that was asked for later; at
no other time, whatever happens meanwhile (songs contract, 4.3, 5.5)."""

from __future__ import annotations

import io
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from builtin_plugins.songs.identity import track_id_of
from builtin_plugins.songs.scan_state import ScanState
from builtin_plugins.songs.scanning import Scanner
from plugin_sdk import Form, NotFound
from plugin_sdk.testing import FakeJobRun, FakeSongFormat, FakeUpload

NAME = "a.fakesong"


def picture(colour: str = "red") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, "PNG")
    return content.getvalue()


def titles(book: Any) -> list[str]:
    return [song["title"] for song in book.listed({"sort": "title"})]


def scan(book: Any, mode: str = "incremental") -> dict[str, Any]:
    """The status of a run to its end."""
    getattr(book.plugin, "rescan_full" if mode == "full" else "rescan")(None)
    book.context.jobs.run_all()
    status: dict[str, Any] = book.plugin.scan_status(None)
    assert status["status"] == "complete"
    assert status["done"] == status["total"]
    return status


def write(folder: Path, name: str = NAME, title: str = "One") -> str:
    """Writes a song that differs from the one before; its trackId."""
    path = folder / name
    before = path.stat().st_mtime_ns if path.exists() else 0
    FakeSongFormat.write(path, title=title)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))
    return track_id_of(unicodedata.normalize("NFC", name))


def delete(book: Any, *names: str) -> None:
    for name in names or (NAME,):
        assert book.ask("DELETE", "delete_track", track_id_of(name)).status == 204


def while_reading(book: Any, monkeypatch: pytest.MonkeyPatch, do: Callable[[Path], None]) -> None:
    """Does something, once for each song, after it was read and before that is written."""
    reader = book.context.providers.get("song_format", "fakesong")
    read = reader.metadata

    def metadata(source: Any) -> Any:
        found = read(source)
        do(source.path)
        return found

    monkeypatch.setattr(reader, "metadata", metadata)


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_while_it_is_read(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Also when its file had changed before, and a run is about to see that."""
    write(folder)
    scan(book)
    write(folder, title="Another one")
    with monkeypatch.context() as patch:
        while_reading(book, patch, lambda _: delete(book))
        assert scan(book, mode)["failed"] == 0
    assert titles(book) == []
    scan(book)
    assert titles(book) == []
    scan(book, "full")
    assert titles(book) == ["Another one"]


def test_what_changes_after_that_is_for_the_next_run(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder)
    scan(book)

    def replaced(_: Path) -> None:
        delete(book)
        write(folder, title="Changed")

    with monkeypatch.context() as patch:
        while_reading(book, patch, replaced)
        scan(book, "full")
    assert titles(book) == []
    scan(book)
    assert titles(book) == ["Changed"]


def test_a_change_that_no_scan_has_seen_is_deleted_along(book: Any, folder: Path) -> None:
    write(folder)
    scan(book)
    write(folder, title="Not seen")
    delete(book)
    scan(book)
    assert titles(book) == []
    write(folder, title="Later")
    scan(book)
    assert titles(book) == ["Later"]


def test_without_its_file_the_last_scan_counts(book: Any, folder: Path) -> None:
    write(folder)
    scan(book)
    (folder / NAME).rename(folder / "kept")
    delete(book)
    (folder / "kept").rename(folder / NAME)
    scan(book)
    assert titles(book) == []


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_while_a_run_is_killed_and_goes_on(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Songs that the first part of the run has written, and songs that it has only read."""
    monkeypatch.setattr("builtin_plugins.songs.scanning._BATCH", 2)
    monkeypatch.setattr("builtin_plugins.songs.scanning._PAUSE", 3600)  # written by twos
    names = [f"{number}.fakesong" for number in range(8)]
    for name in names:
        write(folder, name, name[0])
    scan(book)
    delete(book, names[0])  # before the run was asked for
    for name in names[1:]:
        write(folder, name, name[0])
    getattr(book.plugin, "rescan_full" if mode == "full" else "rescan")(None)
    index = book.plugin._scans._scanner._index
    put, written = index.put, list[str]()

    def killed(batch: Any) -> Any:
        if written:
            raise SystemExit
        written.extend(found.path for found in batch if found.path != names[0])
        return put(batch)

    with monkeypatch.context() as patch:
        patch.setattr(index, "put", killed)
        with pytest.raises(SystemExit):
            book.plugin.scan(FakeJobRun())
    left = [name for name in names[1:] if name not in written]
    gone = [written[0], left[0], left[1]]
    delete(book, *gone)
    book.context.clock.advance(5)
    book.plugin.scan(FakeJobRun(attempt=2))
    status = book.plugin.scan_status(None)
    assert (status["status"], status["mode"]) == ("complete", mode)
    stay = [name[0] for name in names if name not in gone and (mode == "full" or name != names[0])]
    assert titles(book) == stay
    scan(book)
    assert titles(book) == stay
    scan(book, "full")
    assert titles(book) == [name[0] for name in names]


def test_after_a_full_run_was_wished(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins when the present one has ended, but was asked for before."""
    write(folder)
    write(folder, "b.fakesong", "Two")
    scan(book)
    delete(book, "b.fakesong")
    scanner = book.plugin._scans._scanner
    run, modes = scanner.run, list[str]()

    def wished(mode: str, stopped: Any) -> Any:
        modes.append(mode)
        if mode == "incremental":
            book.plugin.rescan_full(None)
            delete(book)
        return run(mode, stopped)

    with monkeypatch.context() as patch:
        patch.setattr(scanner, "run", wished)
        scan(book)
    assert modes == ["incremental", "full"]
    assert titles(book) == ["Two"]


def test_after_a_run_that_nobody_sees_to(book: Any, folder: Path) -> None:
    """What takes its wishes over takes over until when they hold."""
    state: ScanState = book.plugin._state
    write(folder)
    scan(book)
    state.request("incremental")
    state.request("full")
    delete(book)
    book.context.clock.advance(600)
    assert state.request("incremental") is False
    assert state.present() == "full"
    assert state.returning() == 0
    assert state.request("full") is True
    assert state.finish(status="complete", stage="complete") == "full"
    assert state.returning() == 1


def test_while_another_process_scans(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was thought to be over still writes what it read: not what was deleted since."""
    write(folder)
    scan(book)
    delete(book)
    own = book.plugin._scans._scanner
    other = Scanner(book.context, own._index, book.plugin._state, own._sweep)
    turns = ["first", "second"]

    def overtaken(_: Path) -> None:
        if turns.pop(0) == "first":
            other.run("full", lambda: False)
            delete(book)

    with monkeypatch.context() as patch:
        while_reading(book, patch, overtaken)
        scan(book, "full")
    assert not turns
    assert titles(book) == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_its_name_in_another_unicode_form(book: Any, folder: Path, form: str) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    before, after = (unicodedata.normalize(each, "é.fakesong") for each in (form, other))
    write(folder, before)
    scan(book)
    delete(book, unicodedata.normalize("NFC", before))
    (folder / before).rename(folder / after)
    scan(book)
    assert titles(book) == []


def test_a_folder_of_another_name_holds_other_songs(book: Any, folder: Path) -> None:
    track = write(folder, "x/a.fakesong")
    scan(book)
    book.edit(track, title="Edited")
    delete(book, "x/a.fakesong")
    (folder / "x").rename(folder / "y")
    scan(book)
    assert [(each["filename"], each["title"]) for each in book.listed()] == [
        ("y/a.fakesong", "One")
    ]
    (folder / "y").rename(folder / "x")
    scan(book)
    assert titles(book) == []


def test_nothing_of_it_comes_back(book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the storage kept its copies at first."""
    track = write(folder)
    FakeSongFormat.write(folder / NAME, title="One", cover=picture(), stems={"full": b"OggS"})
    scan(book)
    first = book.listed()[0]
    upload = FakeUpload("coverImage", picture(colour="blue"))
    book.ask("POST", "edit_track", track, form=Form({"title": "Edited"}, [upload]))
    book.ask("POST", "submit_score", track, body={"score": 5})
    book.ask("POST", "toggle_favorite", body={"trackId": track})
    book.ask("POST", "add_loop", track, body={"start_time": 1, "end_time": 2})
    assert book.ask("GET", "audio", track).status == 200

    def refuse(_key: str) -> bool:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(book.context.blobs, "delete", refuse)
        delete(book)
    book.context.clock.advance(60)
    scan(book, "full")
    (again,) = book.listed()
    assert (again["title"], again["favorite"]) == ("One", False)
    assert again["importedAt"] > first["importedAt"]
    assert book.ask("GET", "track", track)["edited"] == []
    assert book.ask("POST", "scores", body={"trackIds": [track]}) == {}
    assert book.ask("GET", "loops", track) == []
    assert book.context.db.table("objects").count_where() == 0
    with book.ask("GET", "cover", track).body.source.open() as cover:
        assert cover.read() == picture()


def test_while_it_is_edited(book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit that comes too late leaves nothing; neither when the song has returned meanwhile."""
    track = write(folder)
    scan(book)
    media = book.plugin._media
    put = media.put_upload
    for returns in (False, True):

        def stored(*arguments: Any, returns: bool = returns) -> None:
            put(*arguments)
            delete(book)
            if returns:
                scan(book, "full")

        with monkeypatch.context() as patch:
            patch.setattr(media, "put_upload", stored)
            upload = FakeUpload("coverImage", picture())
            with pytest.raises(NotFound):
                book.ask("POST", "edit_track", track, form=Form({"title": "x"}, [upload]))
        assert list(book.context.blobs.list()) == []
        assert book.context.db.table("edits").count_where() == 0
        scan(book, "full")
        assert titles(book) == ["One"]


def test_a_song_that_returns_is_no_orphan_any_more(book: Any, folder: Path) -> None:
    """Also when that happens between looking for orphans and removing them."""
    track = write(folder)
    scan(book)
    book.edit(track, title="Edited")
    (folder / NAME).rename(folder / "kept")
    scan(book)
    db = book.context.db
    values = db.values

    def returned(sql: str, params: Any = None) -> Any:
        found = values(sql, params)
        if params is None:
            (folder / "kept").rename(folder / NAME)
            scan(book)
        return found

    db.values = returned
    assert book.plugin._scans.cleanup_orphans() == 0
    db.values = values
    assert titles(book) == ["Edited"]
