"""The fan-out: what one process publishes all others hear, in order, once."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from host.db.postgresql import PostgresqlEngine
from host.db.signals import MAX_TEXT, Signals
from host.realtime import FanOut
from host.realtime import fanout as module
from host.testing import open_engine
from plugin_sdk import DatabaseUnavailable

LOG = logging.getLogger("test.realtime")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.1)


class Air(Signals):
    """Signals in memory, which can be cut off, and can send twice."""

    def __init__(self, others: list[Air]) -> None:
        self.others = others
        self.others.append(self)
        self.down = False
        self.doubtful = False
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def send(self, texts: Sequence[str]) -> None:
        if self.down:
            raise DatabaseUnavailable("away")
        for other in self.others:
            if not other.down:
                for text in texts:
                    other._heard.put(text)
        if self.doubtful:
            self.doubtful = False
            raise DatabaseUnavailable("the connection ended")

    def receive(self, seconds: float) -> list[str]:
        if self.down:
            raise DatabaseUnavailable("away")
        try:
            text = self._heard.get(timeout=min(seconds, 0.05))
        except queue.Empty:
            return []
        return [text] if text is not None else []

    def wake(self) -> None:
        self._heard.put(None)

    def tidy(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


class Party:
    def __init__(self, signals: Signals, **options: Any) -> None:
        self.signals = signals
        self.heard: list[str] = []
        self.fanout = FanOut(signals, self.heard.append, LOG)
        self.fanout.start(**options)


@pytest.fixture
def party(wait_until: Callable[..., None]) -> Iterator[Callable[..., Party]]:
    """Makes those that listen by now: a start waits for that, though not without end."""
    made: list[Party] = []
    air: list[Air] = []

    def make(signals: Signals | None = None, **options: Any) -> Party:
        made.append(Party(signals or Air(air), **options))
        wait_until(made[-1].fanout._listening.is_set)
        return made[-1]

    yield make
    for each in made:
        each.fanout.stop()


def test_others_hear_it_in_order_and_the_publisher_does_not(party, wait_until) -> None:
    a, b, c = party(), party(), party()
    wanted = [f'{{"n":{number}}}' for number in range(300)]
    for text in wanted:
        a.fanout.publish(text)
    wait_until(lambda: len(b.heard) >= 300 and len(c.heard) >= 300)
    assert (a.heard, b.heard, c.heard) == ([], wanted, wanted)


def test_real_engines(party, wait_until, tmp_path: Path) -> None:
    engines = [open_engine(tmp_path) for _ in range(2)]
    a, b = (party(engine.signals()) for engine in engines)
    wanted = [f"{number} {'x' * (number * 100)}" for number in range(200)]
    for text in wanted:
        a.fanout.publish(text)
        b.fanout.publish(text)
    wait_until(lambda: len(a.heard) >= 200 and len(b.heard) >= 200)
    assert (a.heard, b.heard) == (wanted, wanted)
    for each in (a, b):
        each.fanout.stop()
    for engine in engines:
        engine.close()


def test_what_was_sent_twice_is_heard_once(party, wait_until) -> None:
    a, b = party(), party()
    a.signals.doubtful = True
    a.fanout.publish("one")
    a.fanout.publish("two")
    wait_until(lambda: "two" in b.heard)
    a.fanout.publish("three")
    wait_until(lambda: "three" in b.heard)
    assert b.heard == ["one", "two", "three"]


def test_an_outage_delays_messages_and_loses_none(party, wait_until) -> None:
    a, b = party(), party()
    a.signals.down = b.signals.down = True
    for number in range(100):
        a.fanout.publish(str(number))
    b.signals.down = False  # who listens is back first
    a.signals.down = False
    wait_until(lambda: len(b.heard) >= 100)
    assert b.heard == [str(number) for number in range(100)]


def test_a_long_outage_costs_the_oldest_and_no_memory(
    party, wait_until, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 1000)
    a, b = party(), party()
    a.signals.down = True
    for number in range(100):
        a.fanout.publish(f"{number:0100}")
    a.signals.down = False
    wait_until(lambda: b.heard and b.heard[-1] == f"{99:0100}")
    assert len(b.heard) <= 20  # the ten that may wait, and those already taken to be sent
    assert b.heard == sorted(b.heard)
    wait_until(lambda: "did not reach other processes" in caplog.text)


def test_the_count_is_bounded_as_well(party, wait_until, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    a, b = party(), party()
    a.signals.down = True
    for number in range(50):
        a.fanout.publish(str(number))
    a.signals.down = False
    wait_until(lambda: b.heard and b.heard[-1] == "49")
    assert len(b.heard) <= 10  # the five that may wait, and those already taken to be sent


def test_what_is_too_long_stays_here(party, wait_until, caplog) -> None:
    a, b = party(), party()
    a.fanout.publish("x" * (MAX_TEXT + 1))
    a.fanout.publish("short")
    wait_until(lambda: b.heard)
    assert b.heard == ["short"]
    assert "stays in this process" in caplog.text


def test_one_that_only_speaks_hears_nothing(party, wait_until) -> None:
    a, b = party(listen=False), party()
    b.fanout.publish("to nobody")
    a.fanout.publish("hello")
    wait_until(lambda: b.heard)
    assert (a.heard, b.heard) == ([], ["hello"])


def test_the_last_words_are_sent(party, wait_until) -> None:
    a, b = party(), party()
    for number in range(200):
        a.fanout.publish(str(number))
    a.fanout.stop()
    a.fanout.publish("too late")
    wait_until(lambda: len(b.heard) >= 200)
    assert b.heard == [str(number) for number in range(200)]


def test_stopping_does_not_wait_for_a_database_that_is_away(party, wait_until) -> None:
    a = party()
    a.signals.down = True
    a.fanout.publish("never")
    a.fanout.stop()
    wait_until(lambda: not a.fanout._sender.is_alive() and not a.fanout._listener.is_alive())


def test_garbage_and_a_failing_reader_harm_nothing(party, wait_until, caplog) -> None:
    a, b = party(), party()
    a.signals.send(["", "x", "x y", "x y z", "x -1 z"])

    def failing(text: str) -> None:
        raise RuntimeError(text)

    b.fanout._heard = failing
    a.fanout.publish("bad")
    wait_until(lambda: "could not be passed on" in caplog.text)
    b.fanout._heard = b.heard.append
    a.fanout.publish("good")
    wait_until(lambda: b.heard)
    assert b.heard == ["good"]


def test_one_knows_whether_it_is_alone(party, wait_until, monkeypatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.05)
    a = party()
    wait_until(lambda: a.fanout.alone)
    b = party()
    wait_until(lambda: not a.fanout.alone)
    b.fanout.publish("news")
    wait_until(lambda: a.heard)
    wait_until(lambda: not b.fanout.alone)  # the answer may come later than it is waited for
    b.fanout.stop()
    wait_until(lambda: a.fanout.alone)
    assert a.heard == ["news"]


def test_nobody_who_cannot_know_takes_itself_to_be_alone(party, wait_until, monkeypatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.0)
    a = party()
    speaker = party(listen=False)
    assert not speaker.fanout.alone
    wait_until(lambda: a.fanout.alone)
    a.signals.down = True
    a.signals.wake()
    wait_until(lambda: not a.fanout.alone)
    a.signals.down = False
    wait_until(lambda: a.fanout.alone)


def test_one_that_only_spoke_is_gone_when_it_ends(party, wait_until, monkeypatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.0)
    a, speaker = party(), party(listen=False)
    speaker.fanout.publish("word")
    wait_until(lambda: a.heard and not a.fanout.alone)
    speaker.fanout.stop()
    wait_until(lambda: a.fanout.alone)


@pytest.mark.one_engine
def test_a_database_that_dies_and_comes_back(
    party, wait_until, make_postgresql_server, caplog, monkeypatch
) -> None:
    server = make_postgresql_server()
    engines = [PostgresqlEngine(server.url()) for _ in range(2)]
    a, b = (party(engine.signals()) for engine in engines)
    may_send, send = threading.Lock(), a.signals.send

    def send_in_turn(texts: Sequence[str]) -> None:
        with may_send:
            send(texts)

    monkeypatch.setattr(a.signals, "send", send_in_turn)
    a.fanout.publish("before")
    wait_until(lambda: b.heard)
    server.crash()
    wait_until(lambda: not any(each.fanout._listening.is_set() for each in (a, b)))
    for number in range(20):
        a.fanout.publish(f"meanwhile {number}")
    wait_until(lambda: caplog.text.count("do not reach other processes") >= 3)
    with may_send:  # the other one may take longer to be back than is waited for it
        server.start()
        wait_until(b.fanout._listening.is_set)
    a.fanout.publish("after")
    wait_until(lambda: "after" in b.heard, seconds=30)
    assert b.heard == ["before", *(f"meanwhile {number}" for number in range(20)), "after"]
    for each in (a, b):
        each.fanout.stop()
    for engine in engines:
        engine.close()
    server.remove()
