"""Signals of both engines: everybody hears everything, in order, whole."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host.db.postgresql import PostgresqlEngine
from host.db.signals import MAX_TEXT, Signals
from host.db.sqlite.signals import FILE, SqliteSignals
from host.testing import open_engine
from plugin_sdk import DatabaseUnavailable

Open = Callable[[], Signals]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Signals of as many processes as wanted, each with an engine of its own."""
    made = []

    def make() -> Signals:
        engine = open_engine(tmp_path)
        made.append((engine, engine.signals()))
        return made[-1][1]

    yield make
    for engine, signals in made:
        signals.close()
        engine.close()


def heard(signals: Signals, count: int) -> list[str]:
    """At least so many texts, or what came within a minute."""
    found: list[str] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += signals.receive(0.1)
    return found


def test_everybody_who_listens_hears_it_in_order(opened: Open) -> None:
    sender, *listeners = opened(), opened(), opened()
    for each in listeners:
        assert each.receive(5.0) == []
    texts = [f"text {number}" for number in range(500)]
    for start in range(0, 500, 25):
        sender.send(texts[start : start + 25])
    assert [heard(each, 500) for each in listeners] == [texts, texts]


def test_the_sender_hears_itself_when_it_listens(opened: Open) -> None:
    both = opened()
    both.receive(0.0)
    both.send(["mine"])
    assert heard(both, 1) == ["mine"]


def test_what_was_sent_before_is_not_heard(opened: Open) -> None:
    sender, listener = opened(), opened()
    sender.send(["before"])
    listener.receive(0.0)
    sender.send(["after"])
    assert heard(listener, 1) == ["after"]


@pytest.mark.parametrize("size", [0, 7899, 7900, 7901, 8000, 100_000, MAX_TEXT])
def test_texts_of_every_size_arrive_whole(opened: Open, size: int) -> None:
    sender, listener = opened(), opened()
    listener.receive(0.0)
    text = ("abcdefgh " * (size // 9 + 1))[:size]
    sender.send(["first", text, text, "last"])
    assert heard(listener, 4) == ["first", text, text, "last"]


def test_several_send_at_once(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.db.sqlite.signals._BUSY_SECONDS", 60.0)  # all shall get through
    senders = [opened() for _ in range(3)]
    listener = opened()
    listener.receive(0.0)
    long = "x" * 20_000
    threads = [
        threading.Thread(
            target=lambda name=name, signals=signals: [
                signals.send([f"{name} {number} {long}"]) for number in range(30)
            ]
        )
        for name, signals in enumerate(senders)
    ]
    for thread in threads:
        thread.start()
    found = heard(listener, 90)
    for thread in threads:
        thread.join()
    assert len(found) == 90
    for name in range(3):
        mine = [text for text in found if text.startswith(f"{name} ")]
        assert mine == [f"{name} {number} {long}" for number in range(30)]


def test_waking_ends_the_waiting(opened: Open) -> None:
    listener = opened()
    listener.receive(0.0)
    results: list[list[str]] = []
    thread = threading.Thread(target=lambda: results.append(listener.receive(600.0)))
    thread.start()
    listener.wake()
    thread.join(60)
    assert results == [[]]


def test_a_closed_one_may_be_woken_and_closed_again(opened: Open) -> None:
    signals = opened()
    signals.receive(0.0)
    signals.close()
    signals.wake()
    signals.close()


def test_another_process_is_heard(opened: Open, tmp_path: Path) -> None:
    listener = opened()
    listener.receive(0.0)
    code = (
        "import sys; from pathlib import Path; from host.testing import open_engine\n"
        "engine = open_engine(Path(sys.argv[1])); signals = engine.signals()\n"
        "signals.send(['from afar']); signals.close(); engine.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=os.environ.copy())
    assert heard(listener, 1) == ["from afar"]


@pytest.mark.one_engine
def test_a_file_that_is_none_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"after a power cut" * 100)
    signals = SqliteSignals(tmp_path)
    signals.receive(0.0)
    signals.send(["again"])
    assert heard(signals, 1) == ["again"]
    signals.close()


@pytest.mark.one_engine
def test_of_two_that_find_a_file_that_is_none_both_use_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_bytes(b"after a power cut" * 100)
    first, second = SqliteSignals(tmp_path), SqliteSignals(tmp_path)
    connect = second._connect

    def late() -> sqlite3.Connection:
        """It looked at the old file, and the first one has thrown that away meanwhile."""
        monkeypatch.setattr(second, "_connect", connect)
        first.receive(0.0)
        raise sqlite3.DatabaseError("file is not a database")

    monkeypatch.setattr(second, "_connect", late)
    second.send(["here"])
    assert heard(first, 1) == ["here"]
    first.close()
    second.close()


@pytest.mark.one_engine
def test_the_file_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = SqliteSignals(tmp_path)
    signals.receive(0.0)
    for number in range(60):
        signals.send([f"{number} " + "x" * 1000] * 200)
        assert len(signals.receive(0.0)) == 200
    size = (tmp_path / FILE).stat().st_size
    assert size < 8 * 1024 * 1024
    monkeypatch.setattr("host.db.sqlite.signals._KEEP_SECONDS", -1.0)
    signals.tidy()
    late = SqliteSignals(tmp_path)
    late.receive(0.0)
    late.send(["after"])
    assert heard(late, 1) == ["after"]
    assert heard(signals, 1) == ["after"]
    late.close()
    signals.close()


@pytest.mark.one_engine
def test_a_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    signals = SqliteSignals(tmp_path)
    for act in (lambda: signals.receive(0.0), lambda: signals.send(["x"])):
        with pytest.raises(DatabaseUnavailable, match=FILE):
            act()
    signals.close()


@pytest.mark.one_engine
def test_foreign_notifications_are_passed_over(postgresql_url: str) -> None:
    import psycopg

    engine = PostgresqlEngine(postgresql_url)
    signals = engine.signals()
    signals.receive(0.0)
    with psycopg.connect(postgresql_url, autocommit=True) as stranger:
        for payload in ("", "hello", "1.2/3 a piece without a beginning", "1.x/y z", "0.1/2 half"):
            stranger.execute("SELECT pg_notify('stagebox_signals', %s)", [payload])
        stranger.execute("SELECT pg_notify('stagebox_signals', '0.1/1 whole')")
    signals.send(["own"])
    assert heard(signals, 2) == ["whole", "own"]
    signals.close()
    engine.close()
