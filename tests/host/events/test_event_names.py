from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from host.db import Engine
from host.events import MAX_DATA_BYTES, EventBus, Subscriber, check_event_name, check_pattern
from plugin_sdk import Invalid


@pytest.mark.parametrize("name", ["rooms.deleted", "rooms.message_posted", "rooms.v2", "rooms.a_2"])
def test_good_names(name: str) -> None:
    check_event_name("rooms", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rooms",
        "rooms.",
        "Rooms.deleted",
        "rooms.Deleted",
        "rooms.mess-age",
        "rooms.two words",
        "rooms._x",
        "rooms.x_",
        "rooms.x\n",
        "rooms.é",
        "rooms.a.b",
        "roomsx.deleted",
        "songs.deleted",
        "host.started",
        "rooms." + "x" * 101,
        7,
        None,
    ],
)
def test_bad_names(name: Any) -> None:
    with pytest.raises(Invalid, match="event name"):
        check_event_name("rooms", name)


def test_a_plugin_cannot_speak_for_one_whose_id_is_longer() -> None:
    check_event_name("example.board", "example.board.added")
    with pytest.raises(Invalid):
        check_event_name("example", "example.board.added")


@pytest.mark.parametrize("pattern", ["rooms.deleted", "rooms.*", "rooms.mess*", "*", "a-b.c.*"])
def test_good_patterns(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["", "*.deleted", "rooms.*.x", "rooms.**", "Rooms.*", "x" * 201, 3]
)
def test_bad_patterns(pattern: Any) -> None:
    with pytest.raises(Invalid, match="subscribe"):
        check_pattern(pattern)


def test_a_bad_pattern_harms_its_owner_alone(
    bus: EventBus, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    bus.subscribe(
        [
            Subscriber("evil.plugin", "*.x", print),
            Subscriber("good", "rooms.*", lambda event: told.append(event.name)),
        ]
    )
    events = bus.emitter("rooms", engine.open("rooms"))
    events.emit("rooms.deleted")
    assert events.settle(30)
    assert told == ["rooms.deleted"]
    assert "evil.plugin" in caplog.text


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ([1], "object"),
        ("text", "object"),
        ({"x": float("nan")}, "range"),
        ({"x": object()}, "object"),
        ({1: 2}, "key"),
        ({"x": "\0"}, "U"),
        ({"x": "\ud800"}, "surrogate"),
        ({"x": 10**5000}, "JSON"),
        ({"x": "y" * MAX_DATA_BYTES}, "bytes"),
        ({"x": "é" * (MAX_DATA_BYTES // 2)}, "bytes"),
    ],
)
def test_data_that_is_refused(bus: EventBus, engine: Engine, data: Any, word: str) -> None:
    events = bus.emitter("rooms", engine.open("rooms"))
    with pytest.raises(Invalid, match=word):
        events.emit("rooms.created", data)
    assert not engine.exists("rooms"), "nothing was written"


def test_the_largest_data_and_any_mapping(bus: EventBus, engine: Engine) -> None:
    told: list[Any] = []
    bus.subscribe([Subscriber("x", "*", lambda event: told.append(event.data))])
    events = bus.emitter("rooms", engine.open("rooms"))
    text = "y" * (MAX_DATA_BYTES - len('{"x":""}'))
    events.emit("rooms.created", MappingProxyType({"x": text}))
    events.emit("rooms.created")
    assert events.settle(30)
    assert told == [{"x": text}, {}]


def test_only_the_host_speaks_for_the_host(bus: EventBus, engine: Engine) -> None:
    bus.emitter("host", engine.open("host")).emit("host.started")
    with pytest.raises(Invalid):
        bus.emitter("rooms", engine.open("rooms")).emit("host.started")
