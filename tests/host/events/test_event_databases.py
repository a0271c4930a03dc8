"""What events do when their database fails, goes, or is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import host.events.channel
import host.events.mailbox
from host.db import Engine
from host.events import EventBus
from host.events.outbox import Outbox

Listen = Callable[[str, str], Any]
Eventually = Callable[[Callable[[], object]], None]
Rows = Callable[[str], int]


@pytest.mark.parametrize("method", ["read", "delete"])
def test_a_database_that_fails_for_a_while(
    bus: EventBus,
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    monkeypatch.setattr(host.events.channel, "RETRY_SECONDS", 0.01)
    failures = 3
    original = getattr(Outbox, method)

    def failing(self: Outbox, *args: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("the disk is away")
        return original(self, *args)

    monkeypatch.setattr(Outbox, method, failing)
    one = listen("x", "*")
    bus.subscribe([one.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))
    rooms.emit("rooms.counted", {"n": 1})
    assert rooms.settle(30)
    assert one.numbers == [1]
    eventually(lambda: rows("rooms") == 0)
    assert failures == 0
    said = [record for record in caplog.records if "outbox of rooms" in record.getMessage()]
    assert len(said) == 1, "once until it works again"


def test_a_database_that_is_replaced(
    bus: EventBus, engine: Engine, listen: Listen, tmp_path: Path
) -> None:
    one = listen("x", "*")
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    database.table("notes").create({"id": "integer"}, pk="id")
    database.copy_to(tmp_path / "before")
    for n in range(3):
        rooms.emit("rooms.counted", {"n": n})
    assert rooms.settle(30)
    database.copy_to(tmp_path / "later")

    bus.release("rooms")
    database.restore_from(tmp_path / "before")  # has no outbox
    bus.recover("rooms", database)
    rooms.emit("rooms.counted", {"n": 3})
    assert rooms.settle(30)

    bus.release("rooms")
    database.restore_from(tmp_path / "later")
    bus.recover("rooms", database)
    rooms.emit("rooms.counted", {"n": 4})
    assert rooms.settle(30)
    assert one.numbers[:4] == [0, 1, 2, 3]
    assert one.numbers[-1] == 4


def test_a_database_that_is_put_back_in_place(
    bus: EventBus,
    engine: Engine,
    listen: Listen,
    tmp_path: Path,
    eventually: Eventually,
    rows: Rows,
) -> None:
    """As after a failed upgrade, with nobody telling the bus."""
    one, hanging = listen("x", "*"), listen("hanging", "*")
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    database.table("notes").create({"id": "integer"}, pk="id")
    database.copy_to(tmp_path / "without outbox")
    hanging.gate.clear()
    bus.subscribe([one.subscriber, hanging.subscriber])
    rooms.emit("rooms.counted", {"n": 1})
    eventually(hanging.entered.is_set)
    database.copy_to(tmp_path / "with a row")
    hanging.gate.set()
    eventually(lambda: rows("rooms") == 0)

    database.restore_from(tmp_path / "with a row")
    assert rows("rooms") == 1
    rooms.emit("rooms.counted", {"n": 2})
    assert rooms.settle(30)
    eventually(lambda: rows("rooms") == 0)
    database.restore_from(tmp_path / "without outbox")
    bus._sweeper.sweep(bus._channels["rooms"])
    with database.transaction():
        rooms.emit("rooms.counted", {"n": 3})
        rooms.emit("rooms.counted", {"n": 4})
    assert rooms.settle(30)
    assert one.numbers == hanging.numbers == [1, 2, 3, 4], "nothing twice, nothing lost"


def test_what_is_not_handled_at_a_release_is_recovered(
    bus: EventBus, engine: Engine, listen: Listen, eventually: Eventually, rows: Rows
) -> None:
    one = listen("x", "*")
    one.gate.clear()
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    for n in range(3):
        rooms.emit("rooms.counted", {"n": n})
    eventually(one.entered.is_set)
    bus.release("rooms")
    assert rows("rooms") == 3
    assert rooms.settle(30), "what was released is nobody's concern"
    bus.recover("rooms", database)
    rooms.emit("rooms.counted", {"n": 3})
    one.gate.set()
    assert rooms.settle(30)
    assert one.numbers == [0, 0, 1, 2, 3], "the one that it had begun is told again"
    eventually(lambda: rows("rooms") == 0)


def test_a_database_that_was_closed_is_not_tried_for_ever(
    bus: EventBus,
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(host.events.channel, "RETRY_SECONDS", 0.0)
    dropped, delete = threading.Event(), Outbox.delete

    def late(self: Outbox, *span: Any) -> None:
        assert dropped.wait(60)
        delete(self, *span)

    monkeypatch.setattr(Outbox, "delete", late)
    bus.subscribe([listen("x", "*").subscriber])
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    rooms.emit("rooms.counted", {"n": 1})
    assert rooms.settle(30)
    engine.drop("rooms")
    dropped.set()
    channel = bus._channels["rooms"]
    eventually(lambda: channel.failures["clear"] > 7)
    assert channel not in bus._sweeper._due
    assert caplog.text.count("Could not clear the outbox of rooms") == 1
    assert not engine.exists("rooms")


def test_a_database_that_is_dropped(bus: EventBus, engine: Engine, listen: Listen) -> None:
    one = listen("x", "*")
    bus.subscribe([one.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))
    rooms.emit("rooms.counted", {"n": 1})
    assert rooms.settle(30)
    bus.release("rooms")
    engine.drop("rooms")
    rooms = bus.emitter("rooms", engine.open("rooms"))
    assert not engine.exists("rooms")
    rooms.emit("rooms.counted", {"n": 2})
    assert rooms.settle(30)
    assert one.numbers == [1, 2]
    bus.release("never heard of")
