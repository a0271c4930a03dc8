"""Scans of a folder through a real host: what is found, changed, gone, deleted, unreadable."""

from __future__ import annotations

import os
import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from builtin_plugins.songs import workers
from builtin_plugins.songs.asking import trusted_formats
from builtin_plugins.songs.identity import track_id_of
from plugin_sdk import Plugin, Provider, SongMetadata, SongSource
from plugin_sdk.testing import FakeSongFormat
from tests.waiting import eventually


class Sleepy(FakeSongFormat):
    """Reads as the fake does, but hangs, crashes or fails as a name says."""

    name = "sleepy"
    suffixes = frozenset({".sleepy"})

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        if "claims" in path.name:
            raise ZeroDivisionError("secret detail")
        if "goes" in path.name:
            raise FileNotFoundError(path)
        return super().claims(path, files)

    def signature(self, source: SongSource) -> str:
        if "signs" in source.path.name and "falsely" in source.path.read_text():
            raise ZeroDivisionError("secret detail")
        return super().signature(source)

    def metadata(self, source: SongSource) -> SongMetadata:
        if "hangs" in source.path.name:
            time.sleep(600)
        if "crashes" in source.path.name:
            os._exit(3)
        if "eats" in source.path.name:
            bytearray(6 * 1024**3)
        if "fails" in source.path.name:
            raise ZeroDivisionError("secret detail")
        found = super().metadata(source)
        return replace(found, tuning=(10**30,)) if "beyond" in source.path.name else found


class SleepyFormats(Plugin):
    manifest: ClassVar[dict[str, Any]] = {
        "id": "sleepy_songs",
        "providers": [{"type": "song_format", "name": "sleepy"}],
    }

    def providers(self) -> Sequence[Provider]:
        return [Provider("song_format", "sleepy", Sleepy())]


def counters(status: dict[str, Any]) -> dict[str, int]:
    names = ("added", "changed", "removed", "unchanged", "failed")
    return {name: status[name] for name in names if status[name]}


def touch(path: Path) -> None:
    """Another time of change, whatever the clock's resolution."""
    info = path.stat()
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + 1_000_000_000))


def test_songs_come_change_and_go(library: Any) -> None:
    track = library.write("Alpha/first.fakesong", title="T", artist="A", year=1999)
    library.write("second.fakesong", title="Second", artist="B")
    (library.folder / "bad.fakesong").write_text("no song")
    status = library.scan()
    assert counters(status) == {"added": 2, "failed": 1}
    assert (status["status"], status["stage"], status["running"]) == ("complete", "complete", False)
    assert status["done"] == status["total"] == 3
    assert [each["file"] for each in status["failures"]] == ["bad.fakesong"]
    assert str(library.folder) not in status["failures"][0]["message"]
    assert (status["isFirstScan"], status["mode"], status["error"]) == (True, "incremental", None)
    first, _second = library.songs()
    assert first["trackId"] == track == track_id_of("Alpha/first.fakesong")
    assert first["mtime"] == (library.folder / "Alpha/first.fakesong").stat().st_mtime
    assert first["format"] == "fakesong"

    status = library.scan()  # what is unreadable is not tried again
    assert counters(status) == {"unchanged": 2}
    assert status["isFirstScan"] is False

    library.write("Alpha/first.fakesong", title="Changed", artist="A")
    library.write("bad.fakesong", title="Good", artist="C")
    touch(library.folder / "Alpha/first.fakesong")
    assert counters(library.scan()) == {"added": 1, "changed": 1, "unchanged": 1}
    assert library.titles() == ["Changed", "Second", "Good"]
    assert library.songs()[0]["importedAt"] == first["importedAt"]

    (library.folder / "second.fakesong").unlink()
    (library.folder / "bad.fakesong").write_text("broken again")
    touch(library.folder / "bad.fakesong")
    assert counters(library.scan()) == {"failed": 1, "removed": 1, "unchanged": 1}
    assert library.titles() == ["Changed"]
    stats = library.host.get("/api/library/stats").json()
    assert stats == {"totalSongs": 1, "totalArtists": 1, "letters": {"A": 1}}

    full = library.scan(full=True)
    assert (full["mode"], full["total"]) == ("full", 2)
    assert counters(full) == {"failed": 1, "unchanged": 1}

    context = library.host.plugin("songs").context
    assert trusted_formats(context) == {"sloppak", "loose"}, "what comes with the host"
    unreadable = context.db.table("unreadable")
    assert unreadable.count_where() == 1
    (library.folder / "bad.fakesong").unlink()
    assert counters(library.scan()) == {"unchanged": 1}
    assert unreadable.count_where() == 0, "what is gone is forgotten"


def test_orphans_return_with_what_was_kept(library: Any) -> None:
    track = library.write("a.fakesong", title="T")
    library.scan()
    assert library.host.post(f"/api/tracks/{track}", json={"title": "Mine"}).status == 200
    (library.folder / "a.fakesong").rename(library.folder / "a.kept")
    library.scan()
    assert library.host.get(f"/api/tracks/{track}").status == 404
    (library.folder / "a.kept").rename(library.folder / "a.fakesong")
    assert counters(library.scan()) == {"added": 1}
    assert library.titles() == ["Mine"]
    (library.folder / "a.fakesong").rename(library.folder / "a.kept")
    library.scan()
    for _ in range(2):
        assert library.host.post("/api/library/cleanup-orphans").status == 204
    (library.folder / "a.kept").rename(library.folder / "a.fakesong")
    library.scan()
    assert library.titles() == ["T"]


def test_what_was_deleted_stays_so_until_it_changes(library: Any) -> None:
    track = library.write("a.fakesong", title="T")
    other = library.write("b.fakesong", title="Other")
    library.scan()
    for each in (track, other):
        library.host.post(f"/api/tracks/{each}", json={"title": "Edited"})
        assert library.host.delete(f"/api/tracks/{each}").status == 204
    assert (library.folder / "a.fakesong").exists()
    assert counters(library.scan()) == {}
    assert library.titles() == []
    touch(library.folder / "a.fakesong")
    assert counters(library.scan()) == {"added": 1}
    assert library.titles() == ["T"]
    assert library.host.get(f"/api/tracks/{track}").json()["edited"] == []
    assert counters(library.scan(full=True)) == {"added": 1, "unchanged": 1}
    assert sorted(library.titles()) == ["Other", "T"]


def test_without_a_folder_nothing_is_removed(library: Any, tmp_path: Path) -> None:
    library.write("a.fakesong", title="T")
    library.scan()
    library.folder.rename(tmp_path / "elsewhere")
    status = library.scan()
    assert (status["status"], status["error"]) == ("error", "NO_LIBRARY_FOLDER")
    assert library.titles() == ["T"]
    (tmp_path / "elsewhere").rename(library.folder)
    assert counters(library.scan()) == {"unchanged": 1}


def test_what_is_passed_over(library: Any, tmp_path: Path) -> None:
    for name in (
        ".hidden.fakesong",
        ".folder/x.fakesong",
        "RS1compatibilitydisc.fakesong",
        "x.txt",
    ):
        library.write(name)
    outside = FakeSongFormat.write(tmp_path / "outside" / "o.fakesong")
    (library.folder / "link.fakesong").symlink_to(outside)
    (library.folder / "links").symlink_to(outside.parent)
    deep = "/".join("d" * 5) + "/Ünïcode.FAKESONG"
    library.write(deep, title="Deep")
    os.mkdir(os.fsencode(library.folder) + b"/caf\xe9")  # noqa: PTH102 - no text
    FakeSongFormat.write(Path(os.fsdecode(os.fsencode(library.folder) + b"/caf\xe9/a.fakesong")))
    for form in ("NFC", "NFD"):  # one name, one song
        library.write(unicodedata.normalize(form, "é.fakesong"), title=form)
    status = library.scan()
    assert counters(status) == {"added": 2, "failed": 1}
    assert sorted(library.titles()) == ["Deep", "NFC"]
    assert counters(library.scan()) == {"unchanged": 2, "failed": 1}
    (library.folder / unicodedata.normalize("NFC", "é.fakesong")).unlink()
    library.scan()
    assert sorted(library.titles()) == ["Deep", "NFD"]
    (library.folder / unicodedata.normalize("NFD", "é.fakesong")).unlink()
    library.scan()
    assert library.titles() == ["Deep"]
    assert library.songs()[0]["filename"] == deep


def test_a_format_that_is_switched_off(library: Any) -> None:
    track = library.write("a.fakesong", title="T", stems={"full": b"OggS"})
    library.scan()
    library.host.disable("fake_songs")
    assert counters(library.scan()) == {"unchanged": 1}
    assert library.titles() == ["T"]
    for part in ("highway", "audio"):
        answer = library.host.get(f"/api/tracks/{track}/{part}")
        assert (answer.status, answer.json()["error"]) == (503, "FORMAT_UNAVAILABLE")
    (library.folder / "a.fakesong").unlink()
    assert counters(library.scan()) == {"removed": 1}


def test_one_song_never_stops_the_others(
    make_library: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = workers._Process.ask

    def patient(self: Any, value: Any, seconds: float) -> Any:
        """One that hangs has no more than the limit; one that is only slow is no such."""
        hangs = isinstance(value, tuple) and "hangs" in value[1]
        return ask(self, value, seconds if hangs else 60.0)

    monkeypatch.setattr(workers._Process, "ask", patient)
    monkeypatch.setattr("builtin_plugins.songs.scanning.READING_SECONDS", 1.0)
    library = make_library(SleepyFormats)
    for name in ("a hangs", "b crashes", "c fails", "d", "e", "f beyond", "g", "h eats"):
        FakeSongFormat.write(library.folder / f"{name}.sleepy", title=name)
    status = library.scan()
    assert counters(status) == {"added": 3, "failed": 5}
    assert library.titles("sort=title") == ["d", "e", "g"]
    assert counters(library.scan()) == {"unchanged": 3}
    assert not any("secret detail" in each["message"] for each in status["failures"])


def test_a_reader_that_raises_while_it_is_asked(make_library: Callable[..., Any]) -> None:
    """Whether a song is its own, and what its signature is: also then the others are read."""
    library = make_library(SleepyFormats)
    for name in ("a", "b claims", "c goes", "d signs"):
        FakeSongFormat.write(library.folder / f"{name}.sleepy", title=name)
    status = library.scan()
    assert counters(status) == {"added": 2, "failed": 1}
    assert [each["file"] for each in status["failures"]] == ["b claims.sleepy"]
    assert library.titles("sort=title") == ["a", "d signs"]
    (library.folder / "d signs.sleepy").write_text("falsely")
    status = library.scan()
    assert counters(status) == {"unchanged": 1, "failed": 2}
    assert "secret detail" not in str(status["failures"])
    assert library.titles() == ["a"]
    FakeSongFormat.write(library.folder / "d signs.sleepy", title="d signs")
    (library.folder / "b claims.sleepy").unlink()
    assert counters(library.scan()) == {"added": 1, "unchanged": 1}


def test_runs_follow_each_other(make_library: Callable[..., Any]) -> None:
    """While one is on, one more is remembered: a full one, if any call wanted that."""
    library = make_library()
    held, go = threading.Event(), threading.Event()
    scanner = library.host.plugin("songs")._scans._scanner
    run = scanner.run
    modes: list[str] = []

    def slow(mode: str, stopped: Any) -> Any:
        modes.append(mode)
        held.set()
        assert go.wait(120)
        return run(mode, stopped)

    scanner.run = slow
    answers = [library.host.post("/api/rescan").json()]
    assert held.wait(60)
    assert library.status()["running"] is True
    answers += [library.host.post(path).json() for path in ("/api/rescan/full", "/api/rescan")]
    go.set()
    assert answers == [{"ok": True, "queued": queued} for queued in (False, True, True)]
    assert library.settled()["mode"] == "full"
    assert modes == ["incremental", "full"]


@pytest.mark.parametrize("moment", ["before its job is queued", "after its end"])
def test_a_start_that_takes_long_loses_no_scan(
    library: Any, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that the host runs once after each start may come late, whatever was asked for
    since it listens."""
    library.write("a.fakesong")
    plugin = library.host.plugin("songs")
    jobs = plugin.context.jobs
    if moment == "after its end":
        library.scan()
        plugin.begin(None)
    else:
        start = jobs.start

        def late(*arguments: Any, **options: Any) -> Any:
            plugin.begin(None)
            return start(*arguments, **options)

        monkeypatch.setattr(type(jobs), "start", lambda _self, *a, **o: late(*a, **o))
        library.scan()
    status = library.status()
    assert (status["status"], status["added"]) == ("complete", 1)


def test_a_start_forgets_the_last_run(library: Any) -> None:
    library.write("a.fakesong")
    library.scan()
    library.host.restart()
    status = library.status()
    assert (status["status"], status["added"], status["startedAt"]) == ("idle", 0, None)
    assert library.titles() == ["Title"]


def test_scans_that_nobody_asks_for(make_library: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    FakeSongFormat.write(tmp_path / "library" / "a.fakesong", title="At the start")
    library = make_library(scanOnStart=True)
    assert library.settled()["added"] == 1
    other = tmp_path / "other"
    FakeSongFormat.write(other / "b.fakesong", title="In another folder")
    library.host.post("/api/settings", json={"dlcDir": str(other)})
    eventually(lambda: library.titles() == ["In another folder"], 120)
    assert library.settled()["removed"] == 1
