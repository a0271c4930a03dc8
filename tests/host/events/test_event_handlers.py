"""Handlers that are slow, hang, or fail."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.db import Engine
from host.events import EventBus, Subscriber
from plugin_sdk import DatabaseUnavailable, Event, Events

Listen = Callable[[str, str], Any]
Eventually = Callable[[Callable[[], object]], None]


def test_a_slow_subscriber_holds_up_nobody(bus: EventBus, rooms: Events, listen: Listen) -> None:
    slow, quick = listen("slow", "*"), listen("quick", "*")
    slow.gate.clear()
    bus.subscribe([slow.subscriber, quick.subscriber])
    for n in range(3):
        rooms.emit("rooms.counted", {"n": n})
    assert not rooms.settle(0.05), "somebody has not handled them"
    slow.gate.set()
    assert rooms.settle(30)
    assert quick.numbers == slow.numbers == [0, 1, 2]


def test_one_that_hangs_costs_no_memory_and_misses_nothing(
    bus: EventBus,
    rooms: Events,
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    rows: Callable[[str], int],
) -> None:
    hanging, quick = listen("hanging", "rooms.*"), listen("quick", "rooms.counted")
    hanging.gate.clear()
    bus.subscribe([hanging.subscriber, quick.subscriber])
    with engine.open("rooms").transaction():
        for n in range(1500):
            rooms.emit("rooms.counted", {"n": n})
    eventually(lambda: len(quick.events) == 1500)
    assert quick.numbers == list(range(1500)), "the others went on"
    assert len(bus._mailboxes["hanging"]) <= 256, "the rest waits in the outbox"
    assert rows("rooms") == 1500
    songs = bus.emitter("songs", engine.open("songs"))
    songs.emit("songs.added", {"n": -1})
    assert songs.settle(30), "other emitters do not wait either"
    hanging.gate.set()
    assert rooms.settle(30)
    assert hanging.numbers == list(range(1500))
    eventually(lambda: rows("rooms") == 0)


def test_large_events_fill_a_mailbox_by_their_size(
    bus: EventBus, rooms: Events, engine: Engine, listen: Listen, eventually: Eventually
) -> None:
    hanging = listen("hanging", "rooms.*")
    hanging.gate.clear()
    bus.subscribe([hanging.subscriber])
    with engine.open("rooms").transaction():
        for n in range(12):
            rooms.emit("rooms.counted", {"n": n, "text": "x" * 250_000})
    eventually(hanging.entered.is_set)
    eventually(lambda: len(bus._mailboxes["hanging"]) >= 4)
    assert not rooms.settle(0.1), "the pump has looked again"
    assert len(bus._mailboxes["hanging"]) <= 5, "a mailbox takes about 1 MiB"
    hanging.gate.set()
    assert rooms.settle(30)
    assert hanging.numbers == list(range(12))


def test_who_hangs_is_named_once(
    make_bus: Callable[..., EventBus],
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = make_bus(stuck_seconds=0.05)
    hanging, quick = listen("hanging", "*"), listen("quick", "*")
    hanging.gate.clear()
    bus.subscribe([hanging.subscriber, quick.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))

    def named() -> list[str]:
        told = [record.getMessage() for record in caplog.records]
        # on a busy machine the quick one may take as long
        return [text for text in told if "has been handling" in text and "hanging" in text]

    rooms.emit("rooms.counted", {"n": 0})
    eventually(lambda: named())
    for n in range(1, 4):  # more mail, more looks
        rooms.emit("rooms.counted", {"n": n})
        assert not rooms.settle(0.1)
    assert len(named()) == 1
    assert "rooms.counted" in named()[0]
    hanging.gate.set()
    assert rooms.settle(30)


def test_who_raises_is_logged_and_has_handled_it(
    bus: EventBus,
    rooms: Events,
    listen: Listen,
    eventually: Eventually,
    rows: Callable[[str], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event) -> None:
        raise SystemExit("told to go")

    other = listen("other", "*")
    same = listen("broken", "*")
    bus.subscribe([Subscriber("broken", "*", fail), same.subscriber, other.subscriber])
    rooms.emit("rooms.counted", {"n": 1})
    rooms.emit("rooms.counted", {"n": 2})
    assert rooms.settle(30)
    assert other.numbers == same.numbers == [1, 2]
    eventually(lambda: rows("rooms") == 0)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 2
    assert "broken" in errors[0].getMessage()
    assert "rooms.counted" in errors[0].getMessage()
    assert errors[0].exc_info


def test_a_handler_under_which_the_database_failed_is_called_again(
    bus: EventBus, rooms: Events, listen: Listen
) -> None:
    calls: list[int] = []

    def fail(event: Event) -> None:
        calls.append(event.data["n"])
        if event.data["n"] == 1 or len(calls) < 8:
            raise DatabaseUnavailable("not now", retry_after=1)

    other = listen("other", "*")
    bus.subscribe([Subscriber("broken", "*", fail), other.subscriber])
    for number in (1, 2):
        rooms.emit("rooms.counted", {"n": number})
    assert rooms.settle(30)
    assert calls == [1, 1, 1, 1, 1, 1, 2, 2]  # in order, and not for ever
    assert other.numbers == [1, 2]


def test_what_a_handler_could_not_finish_is_kept_for_the_next_start(
    make_bus: Callable[..., EventBus],
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.events.bus.RETRIES", 1_000_000)
    called = threading.Event()

    def fail(event: Event) -> None:
        called.set()
        raise DatabaseUnavailable("not now", retry_after=1)

    bus = make_bus()
    bus.subscribe([Subscriber("broken", "*", fail)])
    bus.emitter("rooms", engine.open("rooms")).emit("rooms.counted", {"n": 1})
    assert called.wait(60)
    bus.stop(60)
    again, broken = make_bus(start=False), listen("broken", "*")
    again.subscribe([broken.subscriber])
    again.recover("rooms", engine.open("rooms"))
    again.start()
    eventually(lambda: broken.numbers == [1])


def test_an_owner_that_comes_back_while_its_old_handler_hangs(
    bus: EventBus, rooms: Events, listen: Listen, eventually: Eventually
) -> None:
    old, new = listen("plugin", "*"), listen("plugin", "*")
    old.gate.clear()
    bus.subscribe([old.subscriber])
    rooms.emit("rooms.counted", {"n": 0})
    eventually(old.entered.is_set)
    bus.subscribe([])
    bus.subscribe([new.subscriber])
    rooms.emit("rooms.counted", {"n": 1})
    assert rooms.settle(30)
    assert new.numbers == [1]
    old.gate.set()
    eventually(lambda: old.numbers == [0])
    rooms.emit("rooms.counted", {"n": 2})
    assert rooms.settle(30)
    assert new.numbers == [1, 2]
