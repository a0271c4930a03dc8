"""Who is told what, when, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.db import Engine
from host.events import EventBus, Subscriber
from plugin_sdk import Event, Events

Listen = Callable[[str, str], Any]
Eventually = Callable[[Callable[[], object]], None]


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
