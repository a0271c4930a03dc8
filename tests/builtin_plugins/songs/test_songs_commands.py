"""The commands, the state of scans, and what a run tells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from builtin_plugins.songs.library_scans import Scans
from builtin_plugins.songs.presence import Presence
from builtin_plugins.songs.scan_state import ScanState
from plugin_sdk import Conflict, Invalid
from plugin_sdk.testing import FakeCommandIO, FakeJobRun, FakeSongFormat


def run(book: Any, name: str, **options: Any) -> tuple[int, FakeCommandIO]:
    io = FakeCommandIO()
    (command,) = (each for each in book.plugin.commands() if each.name == name)
    return command.handler(io, **options) or 0, io


def titles(book: Any) -> list[str]:
    page = json.loads(book.ask("GET", "library").body.content)
    return [song["title"] for song in page["songs"]]


def told(book: Any) -> list[str]:
    names = [event.name.removeprefix("songs.") for event in book.context.events.emitted]
    assert "scan_progressed" in names
    return [name for name in names if name != "scan_progressed"]  # as often as it took


def test_a_scan_by_command(book: Any, folder: Path) -> None:
    FakeSongFormat.write(folder / "a.fakesong", title="One")
    (folder / "b.fakesong").write_text("broken")
    book.context.jobs.run_all()  # what the change of the folder began
    assert titles(book) == ["One"]
    assert told(book) == ["scan_started", "song_added", "scan_completed"]
    completed = book.context.events.emitted[-1].data
    assert {**completed, "durationMs": 0} == {
        "added": 1,
        "changed": 0,
        "removed": 0,
        "unchanged": 0,
        "failed": 1,
        "durationMs": 0,
    }
    status, io = run(book, "scan", full=True)
    assert status == 0
    assert io.output.strip() == "added: 0, changed: 0, removed: 0, unchanged: 1, failed: 1"
    assert "b.fakesong: " in io.errors
    book.context.settings.update({"dlcDir": str(folder / "gone")})
    book.context.jobs.run_all()
    status, io = run(book, "scan")
    assert status == 1
    assert io.errors.startswith("The scan failed: NO_LIBRARY_FOLDER. No song folder is set")
    assert told(book)[-1] == "scan_failed"


def test_filling(book: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtin_plugins.songs.filling._MANY", 100)
    monkeypatch.setattr("builtin_plugins.songs.index._VERY_MANY", 100)
    assert run(book, "fill", count=40)[0] == 0
    status, io = run(book, "fill", count=110)
    assert (status, io.output.strip()) == (0, "The library has 150 songs.")
    stats = book.ask("GET", "library_stats")
    assert stats["totalSongs"] == 150
    page = json.loads(book.ask("GET", "library", query={"size": "200"}).body.content)
    assert len({song["title"] for song in page["songs"]}) == 150
    artists = [song["artist"].casefold() for song in page["songs"]]
    assert artists == sorted(artists)
    with pytest.raises(Invalid):
        run(book, "fill", count=-5)
    book.context.settings.update({"dlcDir": "/somewhere"})
    with pytest.raises(Conflict):
        run(book, "fill", count=1)


def test_a_run_that_was_interrupted_begins_again(book: Any, folder: Path) -> None:
    FakeSongFormat.write(folder / "a.fakesong", title="One")
    plugin = book.plugin
    stopped = FakeJobRun()
    stopped.cancel()
    plugin.scan(stopped)
    assert plugin.scan_status(None)["running"] is True
    assert titles(book) == []
    plugin.scan(FakeJobRun(attempt=2))
    assert plugin.scan_status(None)["status"] == "complete"
    assert titles(book) == ["One"]


def test_a_run_that_fails_is_over(book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(book.plugin._scans._scanner, "run", fail)
    with pytest.raises(ZeroDivisionError):
        book.plugin.scan(FakeJobRun())
    status = book.plugin.scan_status(None)
    assert (status["running"], status["status"]) == (False, "error")


def test_a_run_that_nobody_sees_to_is_begun_again(book: Any, folder: Path) -> None:
    """As when a process ends between noting a request and queueing its job."""
    FakeSongFormat.write(folder / "a.fakesong", title="One")
    for each in book.context.jobs.list():
        book.context.jobs.cancel(each.id)
    state: ScanState = book.plugin._state
    state.reset()
    assert state.request("full") is False
    book.plugin.look(FakeJobRun())
    assert state.present() == "full"
    assert not book.context.jobs.list(state="queued")
    book.context.clock.advance(600)
    assert state.present() is None
    book.plugin.look(FakeJobRun())
    assert state.present() == "full"
    book.context.jobs.run_all()
    assert (state.status()["status"], state.status()["mode"]) == ("complete", "full")
    assert titles(book) == ["One"]


def test_a_request_takes_the_wishes_of_a_run_that_is_lost(book: Any) -> None:
    state: ScanState = book.plugin._state
    assert state.request("incremental") is False
    assert state.request("full") is True
    book.context.clock.advance(600)
    assert state.request("incremental") is False
    assert state.present() == "full"


def test_the_state_is_that_of_one_life(book: Any) -> None:
    lives = ["first"]
    waiting: list[bool] = []
    db, clock = book.context.db, book.context.clock
    gone: set[str] = set()
    state = ScanState(
        db, clock, lambda: lives[-1], lambda: bool(waiting), lambda mark: mark in gone
    )
    state.request("full")
    state.finish(status="complete", stage="complete")
    assert state.status()["status"] == "complete"
    lives.append("second")  # nothing ran in between, as after kill -9
    assert state.status()["status"] == "idle"
    assert state.last_begun() is None
    state.request("full")
    lives.append("third")
    assert state.status()["running"] is False  # nobody is to go on with it
    assert not state.abandoned()
    waiting.append(True)
    assert state.status()["running"] is True
    begun = state.last_begun()
    assert state.interrupted(1)
    state.restart()
    assert not state.interrupted(1)
    assert state.last_begun() == begun
    waiting.clear()
    state.reset()
    for mark in ("", "known"):
        state.request("incremental", command=mark)
        lives.append("fourth")  # a command's run does not end with the service
        assert state.status()["running"] is True
        clock.advance(31)
        assert state.status()["running"] is False
    state.request("incremental", command="known")
    gone.add("known")
    assert state.status()["running"] is False
    assert state.abandoned()
    assert state.request("full", command="") is False


def test_the_end_of_a_process_shows(tmp_path: Path) -> None:
    presence = Presence(lambda: tmp_path)
    with presence.kept() as mark:
        assert mark
        assert not Presence(lambda: tmp_path).is_gone(mark)
        with Presence(lambda: tmp_path).kept() as second:
            assert second == ""
        assert not presence.is_gone(mark)
    assert not presence.is_gone(mark)  # it said that it ended
    ends = (
        "import os, sys; from pathlib import Path\n"
        "from builtin_plugins.songs.presence import Presence\n"
        "with Presence(lambda: Path(sys.argv[1])).kept() as mark:\n"
        "    print(mark, flush=True); os._exit(9)\n"
    )
    command = [sys.executable, "-c", ends, str(tmp_path)]
    mark = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    assert mark
    assert presence.is_gone(mark)
    assert not presence.is_gone("")
    assert not presence.is_gone("another")
    nowhere = Presence(lambda: tmp_path / "nowhere")
    with nowhere.kept() as mark:
        assert mark == ""
    assert not nowhere.is_gone("any")


def test_a_wish_outlives_a_run_that_fails(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeSongFormat.write(folder / "a.fakesong", title="One")
    scanner = book.plugin._scans._scanner
    run = scanner.run

    def fail(mode: str, stopped: Any) -> Any:
        monkeypatch.setattr(scanner, "run", run)
        book.plugin.rescan_full(None)
        raise ZeroDivisionError

    monkeypatch.setattr(scanner, "run", fail)
    with pytest.raises(ZeroDivisionError):
        book.plugin.scan(FakeJobRun())
    status = book.plugin.scan_status(None)
    assert (status["status"], status["mode"]) == ("complete", "full")
    assert titles(book) == ["One"]


def test_a_scan_that_is_cancelled_is_no_more(book: Any, folder: Path) -> None:
    (job,) = book.context.jobs.list(state="queued")
    run = FakeJobRun(id=job.id)
    run.cancel()
    book.plugin.scan(run)
    assert book.plugin.scan_status(None)["running"] is True  # the host stops: it goes on later
    book.context.jobs.cancel(job.id)
    book.plugin.scan(run)
    assert book.plugin.scan_status(None)["status"] == "idle"


def test_a_full_run_goes_on_where_it_was_interrupted(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtin_plugins.songs.scanning._BATCH", 3)
    monkeypatch.setattr("builtin_plugins.songs.scanning._PAUSE", 3600)  # written by threes
    for number in range(9):
        FakeSongFormat.write(folder / f"{number}.fakesong", title=str(number))
    (folder / "bad.fakesong").write_text("broken")
    book.context.jobs.run_all()
    book.plugin.rescan_full(None)
    begun = book.plugin._state.last_begun()
    reads: list[str] = []
    scanner = book.plugin._scans._scanner
    put = scanner._index.put

    def killed(batch: Any) -> Any:
        if len(reads) >= 6:
            raise SystemExit
        reads.extend(each.path for each in batch)
        return put(batch)

    monkeypatch.setattr(scanner._index, "put", killed)
    with pytest.raises(SystemExit):
        book.plugin.scan(FakeJobRun())
    assert book.plugin.scan_status(None)["running"] is True
    kept = set(reads)
    assert len(kept) >= 6
    reads.clear()
    monkeypatch.setattr(
        scanner._index, "put", lambda batch: (reads.extend(f.path for f in batch), put(batch))[1]
    )
    book.context.clock.advance(5)
    book.plugin.scan(FakeJobRun(attempt=2))
    assert kept.isdisjoint(reads)
    assert len(kept) + len(reads) == 9
    status = book.plugin.scan_status(None)
    assert (status["done"], status["total"]) == (10, 10)
    assert (status["unchanged"], status["failed"], status["mode"]) == (9, 1, "full")
    assert status["status"] == "complete"
    assert book.context.db.table("scanned").count_where() == 0
    reads.clear()
    assert begun is not None
    book.plugin.rescan_full(None)
    book.context.jobs.run_all()
    assert len(reads) == 9  # another run reads all


@pytest.mark.parametrize("comes", [True, False])
def test_a_full_run_that_was_interrupted_waits_for_readers_that_start_late(
    book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, comes: bool
) -> None:
    class Slept(FakeJobRun):
        sleeps = 0

        def sleep(self, seconds: float) -> bool:
            self.sleeps += 1
            if comes and self.sleeps == 3:
                book.context.providers.add("song_format", "fakesong", FakeSongFormat())
            return super().sleep(seconds)

    FakeSongFormat.write(folder / "a.fakesong", title="before")
    book.context.jobs.run_all()
    FakeSongFormat.write(folder / "a.fakesong", title="after")
    book.plugin.rescan_full(None)
    with monkeypatch.context() as killed:
        killed.setattr(book.plugin._scans._scanner._index, "put", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            book.plugin.scan(FakeJobRun())
    book.context.providers.remove("song_format", "fakesong")
    run = Slept(attempt=2)
    book.plugin.scan(run)
    assert (run.sleeps == 3) is comes
    assert book.plugin.scan_status(None)["status"] == "complete"
    assert [each["title"] for each in book.listed()] == ["after" if comes else "before"]


def test_scans_from_time_to_time(book: Any, folder: Path) -> None:
    book.context.jobs.run_all()
    book.context.settings.update({"scanIntervalMinutes": 5})
    begun: Callable[[], str] = lambda: book.plugin.scan_status(None)["startedAt"]  # noqa: E731
    first = begun()
    for seconds, again in ((240, False), (61, True)):
        book.context.clock.advance(seconds)
        book.plugin.look(FakeJobRun())
        book.context.jobs.run_all()
        assert (begun() != first) is again


def test_of_two_processes_one_sees_to_another_folder(book: Any, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for each in folders:
        each.mkdir()
    scans, context = book.plugin._scans, book.context
    other = Scans(context, book.index, book.plugin._state, scans._scanner)
    context.settings.on_change(other.settings_changed)  # as in another process

    def begun(folder: Path | str) -> int:
        before = len(book.told("songs.scan_started"))
        context.settings.update({"dlcDir": str(folder)})
        context.jobs.run_all()
        return len(book.told("songs.scan_started")) - before

    changes: list[Path | str] = [*folders, folders[0], "", folders[0]]
    assert [begun(each) for each in changes] == [1, 1, 1, 0, 1]
    assert begun(f"{folders[0]}/") == 0


def test_a_wish_is_not_lost(book: Any) -> None:
    state = book.plugin._state
    assert state.request("incremental") is False
    assert [state.request(mode) for mode in ("incremental", "full", "incremental")] == [True] * 3
    assert state.finish(status="complete", stage="complete") == "full"
    assert state.present() == "full"
    assert state.status()["isFirstScan"] is False
    assert state.finish(status="complete", stage="complete") is None
    assert state.present() is None
    assert state.status()["finishedAt"] is not None
