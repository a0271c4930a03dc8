"""Who is told what, when, and in which order."""

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


@pytest.fixture
def rooms(bus: EventBus, engine: Engine) -> Events:
    return bus.emitter("rooms", engine.open("rooms"))


def test_an_event_as_it_arrives(bus: EventBus, rooms: Events, listen: Listen) -> None:
    one = listen("songs", "rooms.deleted")
    bus.subscribe([one.subscriber])
    rooms.emit("rooms.deleted", {"n": 1, "room": "lobby"})
    rooms.emit("rooms.deleted", {"n": 2})
    assert rooms.settle(30)
    first, second = one.events
    assert (first.name, first.source, first.data) == (
        "rooms.deleted",
        "rooms",
        {"n": 1, "room": "lobby"},
    )
    assert first.at > 1_600_000_000_000
    assert first.id
    assert first.id != second.id


def test_patterns_and_owners(bus: EventBus, rooms: Events, engine: Engine) -> None:
    told: list[tuple[str, str]] = []

    def subscriber(owner: str, event: str) -> Subscriber:
        return Subscriber(owner, event, lambda e: told.append((f"{owner} {event}", e.name)))

    bus.subscribe(
        [
            subscriber("a", "rooms.deleted"),
            subscriber("a", "rooms.*"),
            subscriber("a", "room*"),
            subscriber("b", "*"),
            subscriber("c", "songs.*"),
            subscriber("d", "rooms.del*"),
            subscriber("e", "rooms"),
        ]
    )
    songs = bus.emitter("songs", engine.open("songs"))
    rooms.emit("rooms.deleted")
    assert rooms.settle(30)
    rooms.emit("rooms.created")
    assert rooms.settle(30)
    songs.emit("songs.added")
    assert songs.settle(30)
    in_a = [who for who, what in told if who.startswith("a") and what == "rooms.deleted"]
    assert in_a == ["a rooms.deleted", "a rooms.*", "a room*"]
    assert sorted(told) == sorted(
        [
            ("a rooms.deleted", "rooms.deleted"),
            ("a rooms.*", "rooms.deleted"),
            ("a room*", "rooms.deleted"),
            ("b *", "rooms.deleted"),
            ("d rooms.del*", "rooms.deleted"),
            ("a rooms.*", "rooms.created"),
            ("a room*", "rooms.created"),
            ("b *", "rooms.created"),
            ("b *", "songs.added"),
            ("c songs.*", "songs.added"),
        ]
    )


def test_in_a_transaction_it_waits_for_the_commit(
    bus: EventBus, rooms: Events, engine: Engine, listen: Listen
) -> None:
    one = listen("songs", "*")
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    with database.transaction():
        rooms.emit("rooms.created", {"n": 1})
        rooms.emit("rooms.created", {"n": 2})
        other = bus.emitter("songs", engine.open("songs"))
        other.emit("songs.added", {"n": 0})  # another database: not part of this transaction
        assert other.settle(30)
        assert one.numbers == [0]
    assert rooms.settle(30)
    assert one.numbers == [0, 1, 2]


def test_what_is_rolled_back_was_never_said(
    bus: EventBus, rooms: Events, engine: Engine, listen: Listen, undone: Any
) -> None:
    one = listen("songs", "*")
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    with undone(engine, "rooms"):
        rooms.emit("rooms.created", {"n": 1})
    with database.transaction():
        rooms.emit("rooms.created", {"n": 2})
        with undone(engine, "rooms"):
            rooms.emit("rooms.created", {"n": 3})
        rooms.emit("rooms.created", {"n": 4})
    assert rooms.settle(30)
    assert one.numbers == [2, 4]


def test_every_subscriber_sees_the_order_of_the_commits(
    bus: EventBus, rooms: Events, engine: Engine, listen: Listen
) -> None:
    listeners = [listen(f"p{n}", "rooms.*") for n in range(3)]
    bus.subscribe([one.subscriber for one in listeners])
    database = engine.open("rooms")
    database.table("counter").create({"id": "integer", "n": "integer"}, pk="id")
    database.table("counter").insert({"id": 1, "n": 0})

    def emit_many() -> None:
        for _ in range(50):
            with database.transaction():
                database.execute("UPDATE counter SET n = n + 1")
                rooms.emit("rooms.counted", {"n": database.value("SELECT n FROM counter")})

    threads = [threading.Thread(target=emit_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rooms.settle(30)
    for one in listeners:
        assert one.numbers == list(range(1, 201))


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
    assert bus.stuck()["hanging"] == "rooms.counted"
    for n in range(1, 4):  # more mail, more looks
        rooms.emit("rooms.counted", {"n": n})
        assert not rooms.settle(0.1)
    assert len(named()) == 1
    assert "rooms.counted" in named()[0]
    hanging.gate.set()
    assert rooms.settle(30)
    assert bus.stuck() == {}


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
    assert called.wait(15)
    bus.stop(10)
    again, broken = make_bus(start=False), listen("broken", "*")
    again.subscribe([broken.subscriber])
    again.recover("rooms", engine.open("rooms"))
    again.start()
    eventually(lambda: broken.numbers == [1])


def test_each_handler_gets_data_of_its_own(bus: EventBus, rooms: Events) -> None:
    seen: list[Any] = []

    def spoil(event: Event) -> None:
        seen.append(list(event.data["list"]))
        event.data["list"].clear()

    bus.subscribe(
        [Subscriber("a", "*", spoil), Subscriber("a", "*", spoil), Subscriber("b", "*", spoil)]
    )
    rooms.emit("rooms.counted", {"list": [1]})
    assert rooms.settle(30)
    assert seen == [[1], [1], [1]]


def test_handlers_may_emit(bus: EventBus, engine: Engine) -> None:
    events = {name: bus.emitter(name, engine.open(name)) for name in ("a", "b")}
    told: list[tuple[str, int]] = []

    def ping_pong(event: Event) -> None:
        n = event.data["n"]
        told.append((event.name, n))
        if n < 20:
            other = "b" if event.source == "a" else "a"
            database = engine.open(other)
            with database.transaction():
                events[other].emit(f"{other}.hit", {"n": n + 1})
                events["a"].emit("a.noted", {"n": 99})  # also outside of that transaction

    bus.subscribe([Subscriber("one", "a.hit", ping_pong), Subscriber("two", "b.hit", ping_pong)])
    events["a"].emit("a.hit", {"n": 0})
    for _ in range(22):  # each settles what the one before has emitted
        assert events["a"].settle(30)
        assert events["b"].settle(30)
    assert [n for _, n in told] == list(range(21))


def test_a_swap_of_subscribers(
    bus: EventBus, rooms: Events, listen: Listen, eventually: Eventually
) -> None:
    before, after = listen("plugin", "*"), listen("plugin", "*")
    gone, new = listen("gone", "*"), listen("new", "*")
    before.gate.clear()
    gone.gate.clear()
    bus.subscribe([before.subscriber, gone.subscriber])
    for n in range(3):
        rooms.emit("rooms.counted", {"n": n})
    eventually(before.entered.is_set)
    eventually(gone.entered.is_set)
    bus.subscribe([after.subscriber, new.subscriber])
    before.gate.set()
    rooms.emit("rooms.counted", {"n": 3})
    assert rooms.settle(30), "nobody waits for an owner that is gone"
    assert before.numbers == [0], "the one that it had begun"
    assert after.numbers == [1, 2, 3], "the rest went to whoever is subscribed at the hand-over"
    assert new.numbers[-1] == 3
    gone.gate.set()
    eventually(lambda: gone.numbers == [0])
    bus.subscribe([])
    rooms.emit("rooms.counted", {"n": 4})
    assert rooms.settle(30)
    assert after.numbers == [1, 2, 3]


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


def test_settle_of_nothing_and_before_the_start(
    make_bus: Callable[..., EventBus], engine: Engine
) -> None:
    bus = make_bus(start=False)
    rooms = bus.emitter("rooms", engine.open("rooms"))
    assert rooms.settle(0)
    rooms.emit("rooms.counted")
    assert not rooms.settle(0.01)
    bus.start()
    assert rooms.settle(30)
    with pytest.raises(RuntimeError):
        bus.start()


def test_two_buses_share_nothing(
    make_bus: Callable[..., EventBus], engine: Engine, listen: Listen
) -> None:
    """Two processes on one database: each tells its own events."""
    one, two = listen("x", "*"), listen("x", "*")
    first, second = make_bus(), make_bus()
    first.subscribe([one.subscriber])
    second.subscribe([two.subscriber])
    emitters = [bus.emitter("rooms", engine.open("rooms")) for bus in (first, second)]
    for n in range(10):
        emitters[n % 2].emit("rooms.counted", {"n": n})
    assert all(events.settle(30) for events in emitters)
    assert one.numbers == [0, 2, 4, 6, 8]
    assert two.numbers == [1, 3, 5, 7, 9]
