"""Readers that do not answer when a scan asks what is theirs, or how it is signed."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from builtin_plugins.songs import asking, scanning
from plugin_sdk import SongSource
from plugin_sdk.testing import FakeJobRun, FakeSongFormat


class Stuck(FakeSongFormat):
    """Hangs at what ``hangs`` names, until it is freed."""

    name = "stuck"
    suffixes = frozenset({".stuck"})

    def __init__(self) -> None:
        self.hangs = ""
        self.asked: list[str] = []
        self.held, self.free = threading.Event(), threading.Event()
        self.hanging: set[threading.Thread] = set()

    def __reduce__(self) -> Any:
        raise TypeError("read here")

    def _answer(self, what: str, path: Path) -> None:
        self.asked.append(path.name)
        if what == self.hangs:
            self.hanging.add(threading.current_thread())
            self.held.set()
            assert self.free.wait(200)

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        self._answer("claims", path)
        return super().claims(path, files)

    def signature(self, source: SongSource) -> str:
        self._answer("signature", source.path)
        return super().signature(source)


class StuckFolders(Stuck):
    """Of folders without a name of their own."""

    suffixes = frozenset()

    def claims(self, path: Path, files: Sequence[str] | None) -> bool:
        self._answer("claims", path)
        return files is not None and "folder.song" in files

    def metadata(self, source: SongSource) -> Any:
        return super().metadata(SongSource(source.path / "folder.song", source.root))


class Answers:
    """Of a reader's thread: for one that does not hang no time passes, however slow it is."""

    def __init__(self, answers: Any, hangs: Callable[[], bool]) -> None:
        self._answers = answers
        self._hangs = hangs

    def get(self, timeout: float) -> Any:
        for _ in range(300):
            try:
                return self._answers.get(timeout=timeout)
            except queue.Empty:
                if self._hangs():
                    break
        raise queue.Empty


@pytest.fixture
def stuck(
    request: pytest.FixtureRequest, book: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stuck]:
    reader: Stuck = getattr(request, "param", Stuck)()
    ask, pool = asking._Thread.ask, scanning.ReadingPool

    def asked(thread: Any, question: Any) -> Any:
        return Answers(ask(thread, question), lambda: thread._thread in reader.hanging)

    monkeypatch.setattr(asking._Thread, "ask", asked)
    monkeypatch.setattr(scanning, "ReadingPool", lambda *arguments: pool(*arguments[:4]))
    book.context.providers.add("song_format", "stuck", reader)
    book.context.jobs.run_all()  # what the change of the folder began
    yield reader
    reader.free.set()


def scan(book: Any, seconds: float = 60, *, full: bool = False) -> dict[str, Any]:
    """The status of a run in which readers may take so long."""
    book.plugin._scans._scanner._reading_seconds = seconds
    getattr(book.plugin, "rescan_full" if full else "rescan")(None)
    book.context.jobs.run_all()
    status: dict[str, Any] = book.plugin.scan_status(None)
    assert status["status"] == "complete", status
    return status


def counters(status: dict[str, Any]) -> dict[str, int]:
    names = ("added", "changed", "removed", "unchanged", "failed")
    return {name: status[name] for name in names if status[name]}


def titles(book: Any) -> list[str]:
    return [song["title"] for song in book.listed({"sort": "title"})]


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
@pytest.mark.parametrize("hangs", ["claims", "signature"])
def test_one_that_hangs_is_left_alone(
    book: Any, folder: Path, stuck: Stuck, hangs: str, full: bool
) -> None:
    for name in ("a", "b", "c"):
        FakeSongFormat.write(folder / f"{name}.stuck", title=name)
        FakeSongFormat.write(folder / f"{name}.fakesong", title=f"{name} other")
    assert counters(scan(book)) == {"added": 6}
    every = titles(book)
    FakeSongFormat.write(folder / "b.fakesong", title="b other, and changed")
    os.utime(folder / "c.stuck", ns=(0, 0))
    FakeSongFormat.write(folder / "d.stuck", title="d")
    stuck.hangs = hangs
    stuck.asked.clear()
    status = scan(book, 0.5, full=full)
    asked = list(stuck.asked)
    known = asked[0] != "d.stuck"
    assert len(asked) == (1 if hangs == "claims" else 2)  # no more after that
    unchanged = (2 if known else 3) + 2
    assert counters(status) == {"changed": 1, "unchanged": unchanged, "failed": 1}
    (failure,) = status["failures"]
    assert failure == {
        "file": asked[0],
        "message": "The reader of the format stuck did not answer within 0.5 seconds when it was "
        "asked about it: this scan leaves all songs of the format as they are.",
    }
    assert titles(book) == ["b other, and changed" if each == "b other" else each for each in every]
    stuck.hangs = ""
    assert counters(scan(book)) == {"added": 1, "changed": 1, "unchanged": 5}


@pytest.mark.parametrize("stuck", [StuckFolders], indirect=True)
def test_one_of_folders_hides_no_songs(book: Any, folder: Path, stuck: Stuck) -> None:
    """What lies in a folder about which it says nothing is found; what it knows is no such."""
    FakeSongFormat.write(folder / "own" / "folder.song", title="Own")
    FakeSongFormat.write(folder / "own" / "inside.fakesong", title="Hidden in it")
    FakeSongFormat.write(folder / "artist" / "a.fakesong", title="Other")
    assert counters(scan(book)) == {"added": 2}
    stuck.hangs = "claims"
    for full in (True, False):
        status = scan(book, 0.3, full=full)
        unchanged = 1 if status["failures"][0]["file"] == "own" else 2
        assert counters(status) == {"unchanged": unchanged, "failed": 1}
        assert titles(book) == ["Other", "Own"]
    FakeSongFormat.write(folder / "artist" / "b.fakesong", title="Third")
    assert scan(book, 0.3)["added"] == 1
    assert titles(book) == ["Other", "Own", "Third"]


def test_a_run_is_stopped_while_a_reader_hangs(book: Any, folder: Path, stuck: Stuck) -> None:
    FakeSongFormat.write(folder / "a.stuck", title="a")
    stuck.hangs = "claims"

    class Stopped(FakeJobRun):
        @property
        def cancelled(self) -> bool:
            return stuck.held.is_set()

    book.plugin.rescan(None)
    book.plugin.scan(Stopped())  # its limit is a minute
    assert book.plugin.scan_status(None)["running"] is True
    assert titles(book) == []
