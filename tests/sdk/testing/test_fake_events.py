"""Events in memory: kept with the transaction, handed over when told to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from plugin_sdk import Event, Invalid
from plugin_sdk.testing import FakeContext


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("example.board", now=1_000.5)


def test_an_event_says_who_when_and_what(context: FakeContext) -> None:
    data = {"labels": ["boo"]}
    context.events.emit("example.board.added", data)
    data["labels"].clear()
    [event] = context.events.emitted
    assert event == Event(
        "example.board.added", {"labels": ["boo"]}, event.id, 1_000_500, "example.board"
    )
    context.events.emit("example.board.cleared")
    assert context.events.emitted[1].data == {}
    assert context.events.emitted[1].id != event.id


@pytest.mark.parametrize(
    "name",
    [
        "added",
        "rooms.added",
        "example.boards.added",
        "example.board",
        "example.board.",
        "example.board.Added",
        "example.board.a.b",
        "example.board.a-b",
        "example.board.*",
    ],
)
def test_names_of_others_and_names_that_are_none(context: FakeContext, name: str) -> None:
    with pytest.raises(Invalid, match=r"example\.board"):
        context.events.emit(name)
    assert context.events.emitted == []


@pytest.mark.parametrize("data", [{"a": object()}, [1], "text", {"a": float("nan")}])
def test_data_that_are_no_json_object(context: FakeContext, data: Any) -> None:
    with pytest.raises(Invalid):
        context.events.emit("example.board.added", data)


def test_data_that_are_too_large(context: FakeContext) -> None:
    with pytest.raises(Invalid):
        context.events.emit("example.board.added", {"a": "x" * 300_000})


def test_an_event_waits_for_the_commit(context: FakeContext) -> None:
    with context.data.transaction():
        with context.data.transaction():
            context.events.emit("example.board.added")
        assert context.events.emitted == []
        assert context.events.deliver() == []
    assert [event.name for event in context.events.emitted] == ["example.board.added"]


def test_an_event_is_gone_on_rollback(context: FakeContext) -> None:
    with context.data.transaction():
        context.events.emit("example.board.kept")
        with suppress(ZeroDivisionError), context.data.transaction():
            context.events.emit("example.board.lost")
            raise ZeroDivisionError
    with suppress(ZeroDivisionError), context.data.transaction():
        context.events.emit("example.board.lost")
        raise ZeroDivisionError
    assert [event.name for event in context.events.emitted] == ["example.board.kept"]


def test_handlers_get_what_they_subscribed_to_in_order(context: FakeContext) -> None:
    heard: list[str] = []
    context.events.subscribe("example.board.added", lambda event: heard.append(event.name))
    context.events.subscribe("example.*", lambda event: heard.append("* " + event.name))
    context.events.emit("example.board.cleared")
    context.events.emit("example.board.added")
    assert heard == []
    delivered = context.events.deliver()
    assert [event.name for event in delivered] == ["example.board.cleared", "example.board.added"]
    assert heard == ["* example.board.cleared", "example.board.added", "* example.board.added"]
    assert context.events.deliver() == []


def test_what_handlers_emit_is_delivered_too(context: FakeContext) -> None:
    def answer(event: Event) -> None:
        if event.data["left"]:
            context.events.emit("example.board.counted", {"left": event.data["left"] - 1})

    context.events.subscribe("example.board.counted", answer)
    context.events.emit("example.board.counted", {"left": 3})
    assert [event.data["left"] for event in context.events.deliver()] == [3, 2, 1, 0]


def test_handlers_that_never_end_are_stopped(context: FakeContext) -> None:
    context.events.subscribe("example.*", lambda _: context.events.emit("example.board.again"))
    context.events.emit("example.board.again")
    with pytest.raises(RuntimeError, match="no end"):
        context.events.deliver()


def _fail(event: Event) -> None:
    raise ZeroDivisionError(event.name)


def test_every_handler_is_asked_before_the_first_error_is_raised(context: FakeContext) -> None:
    heard: list[Event] = []
    context.events.subscribe("example.board.added", _fail)
    context.events.subscribe("example.board.added", heard.append)
    context.events.emit("example.board.added")
    with pytest.raises(ZeroDivisionError):
        context.events.deliver()
    assert len(heard) == 1
    assert context.log.messages == ["A handler of example.board.added raised."]


def test_settling_is_quiet_as_in_the_host(context: FakeContext) -> None:
    context.events.subscribe("example.board.added", _fail)
    context.events.emit("example.board.added")
    assert context.events.settle() is True
    assert len(context.log.messages) == 1


def test_events_of_others(context: FakeContext) -> None:
    heard: list[Event] = []
    context.events.subscribe("rooms.*", heard.append)
    event = context.events.receive("rooms.deleted", {"room": "1"})
    assert heard == [event]
    assert (event.source, event.data) == ("rooms", {"room": "1"})
    assert context.events.emitted == []
    context.events.subscribe("rooms.deleted", _fail)
    with pytest.raises(ZeroDivisionError):
        context.events.receive("rooms.deleted")


def test_forgetting(context: FakeContext) -> None:
    context.events.emit("example.board.added")
    context.events.clear()
    assert context.events.emitted == []
    assert context.events.deliver() == []
