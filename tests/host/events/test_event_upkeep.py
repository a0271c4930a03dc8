"""What a crash leaves, what is removed when, and which threads there are."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import host.events.channel
import host.events.mailbox
from host.db import Engine
from host.events import EventBus, Subscriber, outbox
from host.events.outbox import Outbox
from host.testing import open_engine
from plugin_sdk import Event

Listen = Callable[[str, str], Any]
Eventually = Callable[[Callable[[], object]], None]
MakeBus = Callable[..., EventBus]
Rows = Callable[[str], int]

DYING = """
import logging, os, signal, sys
from pathlib import Path
from host.clock import SystemClock
from host.testing import open_engine
from host.events import EventBus, Subscriber, outbox

bus = EventBus(SystemClock(), logging.getLogger("dying"))
bus.subscribe([Subscriber("x", "*", lambda event: print("told", flush=True))])
bus.start()
database = open_engine(Path(sys.argv[1])).open("rooms")
rooms = bus.emitter("rooms", database)
database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
try:
    with database.transaction():
        database.table("notes").insert({"text": "rolled back"})
        rooms.emit("rooms.counted", {"n": -1})
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
with database.transaction():
    # Asked for before the emit: the process dies between the commit and the hand-over.
    if sys.argv[2] == "after":
        database.after_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    database.table("notes").insert({"text": "kept"})
    rooms.emit("rooms.counted", {"n": 1})
    rooms.emit("rooms.counted", {"n": 2})
    if sys.argv[2] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def die(folder: Path, when: str) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(folder), when],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == "", "it died before it told anybody"


def test_killed_between_commit_and_hand_over(
    tmp_path: Path, make_bus: MakeBus, listen: Listen, eventually: Eventually
) -> None:
    die(tmp_path, "after")
    engine = open_engine(tmp_path)
    database = engine.open("rooms")
    bus, one = make_bus(start=False), listen("x", "*")
    bus.subscribe([one.subscriber])
    bus.recover("rooms", database)
    bus.start()
    rooms = bus.emitter("rooms", database)
    rooms.emit("rooms.counted", {"n": 3})
    assert rooms.settle(30)
    assert one.numbers == [1, 2, 3], "what a crash left comes first, in its order"
    assert len({event.id for event in one.events}) == 3
    assert [row["text"] for row in database.query("SELECT text FROM notes")] == ["kept"]
    bus.stop(60)
    engine.close()


def test_killed_before_the_commit(tmp_path: Path, make_bus: MakeBus, listen: Listen) -> None:
    die(tmp_path, "before")
    engine = open_engine(tmp_path)
    database = engine.open("rooms")
    bus, one = make_bus(), listen("x", "*")
    bus.subscribe([one.subscriber])
    bus.recover("rooms", database)
    assert bus.emitter("rooms", database).settle(30)
    assert one.events == []
    assert database.query("SELECT text FROM notes") == []
    bus.stop(60)
    engine.close()


def test_what_is_left_at_a_stop_is_told_by_the_next_life(
    make_bus: MakeBus, engine: Engine, listen: Listen, eventually: Eventually, rows: Rows
) -> None:
    database = engine.open("rooms")
    first, hanging, quick = make_bus(), listen("hanging", "*"), listen("quick", "*")
    hanging.gate.clear()
    first.subscribe([hanging.subscriber, quick.subscriber])
    rooms = first.emitter("rooms", database)
    for n in range(5):
        rooms.emit("rooms.counted", {"n": n})
    eventually(lambda: len(quick.events) == 5)
    eventually(hanging.entered.is_set)

    def let_go() -> None:
        eventually(lambda: first._state == "stopped")
        with first._lock:  # it hands nothing over any more
            hanging.gate.set()

    release = threading.Thread(target=let_go)
    release.start()
    first.stop(60)
    release.join()
    assert hanging.numbers == [0], "the handler that ran came to its end, no other was begun"
    assert rows("rooms") == 4, "what everybody has handled is gone at once"
    rooms.emit("rooms.counted", {"n": 5})  # after the stop: stored at least

    second = make_bus()
    again, never = listen("hanging", "*"), listen("quick", "*")
    second.subscribe([again.subscriber, never.subscriber])
    second.recover("rooms", database)
    assert second.emitter("rooms", database).settle(30)
    assert again.numbers == [1, 2, 3, 4, 5]
    assert again.events[0].id == quick.events[1].id, "the id is still the same"
    eventually(lambda: rows("rooms") == 0)


def test_recover_leaves_the_living_alone(
    make_bus: MakeBus, engine: Engine, listen: Listen, rows: Rows
) -> None:
    living = {"a"}
    database = engine.open("rooms")
    for owner in ("a", "b"):
        emitter = make_bus(start=False, owner=owner).emitter("rooms", database)
        emitter.emit("rooms.counted", {"n": ord(owner)})
    bus, one = make_bus(owner="c", alive=living.__contains__), listen("x", "*")
    bus.subscribe([one.subscriber])
    bus.recover("rooms", database)
    rooms = bus.emitter("rooms", database)
    assert rooms.settle(30)
    assert one.numbers == [ord("b")]
    living.clear()
    bus.recover("rooms", database)
    bus.recover("rooms", database)
    assert rooms.settle(30)
    assert one.numbers == [ord("b"), ord("a")]


def test_recover_of_a_plugin_without_data_makes_no_file(bus: EventBus, engine: Engine) -> None:
    bus.recover("rooms", engine.open("rooms"))
    assert not engine.exists("rooms")


def test_events_without_subscribers_are_cheap(
    bus: EventBus,
    engine: Engine,
    eventually: Eventually,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    for name in ("read", "delete"):
        original = getattr(Outbox, name)

        def counted(self: Outbox, *args: Any, name: str = name, call: Any = original) -> Any:
            calls.append(name)
            return call(self, *args)

        monkeypatch.setattr(Outbox, name, counted)
    bus.subscribe([Subscriber("indifferent", "songs.*", print)])
    rooms = bus.emitter("rooms", engine.open("rooms"))
    for n in range(100):
        rooms.emit("rooms.counted", {"n": n})
    eventually(lambda: rows("rooms") == 0)
    assert "read" not in calls
    assert len(calls) < 50, "they are removed in batches"
    assert not [t for t in threading.enumerate() if t.name == "stagebox-events-indifferent"]


def test_handled_rows_are_removed_in_batches(
    bus: EventBus, engine: Engine, listen: Listen, eventually: Eventually, rows: Rows
) -> None:
    one = listen("x", "rooms.*")
    bus.subscribe([one.subscriber])
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    deleted: list[int] = []
    channel = bus._channels["rooms"]
    delete = channel.outbox.delete
    channel.outbox.delete = lambda *span: (deleted.append(1), delete(*span))  # type: ignore[method-assign, func-returns-value, assignment]
    for n in range(200):
        rooms.emit("rooms.counted", {"n": n})
    eventually(lambda: rows("rooms") == 0)
    assert len(deleted) < 100
    assert one.numbers == list(range(200))


def test_threads_come_with_mail_and_go_when_idle(
    bus: EventBus,
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host.events.mailbox, "IDLE_SECONDS", 0.01)
    one = listen("lazy", "*")
    bus.subscribe([one.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))

    def threads() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "stagebox-events-lazy"]

    for n in range(3):
        assert threads() == []
        rooms.emit("rooms.counted", {"n": n})
        assert rooms.settle(30)
        eventually(lambda: not threads())
    assert one.numbers == [0, 1, 2]


def test_no_thread_before_the_start_and_none_after_the_stop(
    make_bus: MakeBus, engine: Engine, listen: Listen, eventually: Eventually
) -> None:
    before = set(threading.enumerate())
    bus, one = make_bus(start=False), listen("x", "*")
    bus.subscribe([one.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))
    rooms.emit("rooms.counted", {"n": 0})
    assert set(threading.enumerate()) <= before
    bus.start()
    assert rooms.settle(30)
    bus.stop(60)
    # A mailbox whose thread has just found it empty for long leaves that to end by itself.
    eventually(lambda: set(threading.enumerate()) <= before)


def test_a_handler_may_stop_the_bus(
    make_bus: MakeBus, engine: Engine, eventually: Eventually
) -> None:
    before = set(threading.enumerate())
    bus = make_bus()
    stopped: list[int] = []

    def stop(event: Event) -> None:
        bus.stop(60)
        stopped.append(1)

    bus.subscribe([Subscriber("x", "*", stop)])
    bus.emitter("rooms", engine.open("rooms")).emit("rooms.counted")
    eventually(lambda: stopped)
    eventually(lambda: set(threading.enumerate()) <= before)


def test_a_handler_that_hangs_at_the_stop_is_named(
    make_bus: MakeBus,
    engine: Engine,
    listen: Listen,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus, one = make_bus(), listen("hanging", "*")
    one.gate.clear()
    bus.subscribe([one.subscriber])
    rooms = bus.emitter("rooms", engine.open("rooms"))
    rooms.emit("rooms.counted", {"n": 0})
    eventually(one.entered.is_set)
    bus.stop(0.05)
    assert any("plugin hanging" in record.getMessage() for record in caplog.records)
    one.gate.set()
    eventually(lambda: one.numbers == [0])


@pytest.mark.one_engine
def test_the_outbox_is_read_and_cleared_by_its_key(bus: EventBus, engine: Engine) -> None:
    database = engine.open("rooms")
    bus.emitter("rooms", database).emit("rooms.counted")
    for sql, span in (
        (outbox._READ, "(owner=? AND position>?)"),
        (outbox._DELETE, "(owner=? AND position>? AND position<?)"),
    ):
        params = {"owner": "o", "after": 1, "limit": 64, "upto": 9}
        used = {name: value for name, value in params.items() if f":{name}" in sql}
        (line,) = database.query(f"EXPLAIN QUERY PLAN {sql}", used)
        assert line["detail"].startswith("SEARCH")
        assert line["detail"].endswith(span)


class Undone(Exception):
    pass


steps = st.recursive(
    st.just("emit"),
    lambda inner: st.tuples(st.sampled_from(["commit", "rollback"]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=60)
@given(program=st.lists(steps, max_size=6))
def test_any_nesting_of_commits_and_rollbacks(
    bus: EventBus, engine: Engine, program: list[Any]
) -> None:
    """What is told is what a list would keep that is cut back at each rollback."""
    database = engine.open("rooms")
    rooms = bus.emitter("rooms", database)
    told: list[int] = []
    bus.subscribe([Subscriber("x", "rooms.*", lambda event: told.append(event.data["n"]))])
    count = 0

    def run(part: Any, kept: list[int]) -> None:
        nonlocal count
        if part == "emit":
            count += 1
            rooms.emit("rooms.counted", {"n": count})
            kept.append(count)
            return
        verb, inner = part
        mine: list[int] = []
        try:
            with database.transaction():
                for step in inner:
                    run(step, mine)
                if verb == "rollback":
                    raise Undone
        except Undone:
            return
        kept.extend(mine)

    expected: list[int] = []
    for part in program:
        run(part, expected)
    assert rooms.settle(30)
    assert told == expected


def test_an_event_names_its_emitter(bus: EventBus, engine: Engine) -> None:
    told: list[Event] = []
    bus.subscribe([Subscriber("x", "*", told.append)])
    started = bus.emitter("host", engine.open("host"))
    started.emit("host.started")
    assert started.settle(30)
    assert [event.source for event in told] == ["host"]
