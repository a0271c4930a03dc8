"""The realtime provider: one frame for all, in one order, and nobody waits."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from builtin_plugins.realtime.hub import GREETING, Hub
from plugin_sdk import Principal
from plugin_sdk.testing import FakeConnection, FakeContext, signed_in


@pytest.fixture
def hub(fake_context: FakeContext) -> Hub:
    return Hub(fake_context.clock, fake_context.log)


def joined(hub: Hub, number: int = 1, *, limit: int = 100, **options: Any) -> FakeConnection:
    connection = FakeConnection(id=f"connection-{number}", **options)
    hub.join(connection, limit=limit)
    return connection


def types(connection: FakeConnection) -> list[str]:
    return [message["type"] for message in connection.sent_json]


def test_the_first_frame_greets(fake_context: FakeContext, hub: Hub) -> None:
    assert joined(hub).sent_json == [
        {
            "type": "connection:established",
            "message": GREETING,
            "timestamp": fake_context.clock.iso(),
        }
    ]
    assert GREETING == "Connected to Stagebox media API WebSocket"


def test_everybody_gets_every_message_as_one_text_frame(hub: Hub) -> None:
    connections = [joined(hub, number) for number in range(3)]
    message = {"type": "scan:progress", "progress": 5, "message": "Ünïcode", "ok": None}
    hub.broadcast(message)
    frames = {connection.sent[-1] for connection in connections}
    assert frames == {'{"type":"scan:progress","progress":5,"message":"Ünïcode","ok":null}'}


def test_who_comes_later_gets_what_is_sent_later(hub: Hub) -> None:
    early = joined(hub, 1)
    hub.broadcast({"type": "test:one"})
    late = joined(hub, 2)
    hub.broadcast({"type": "test:two"})
    assert types(early)[1:] == ["test:one", "test:two"]
    assert types(late)[1:] == ["test:two"]


def test_nothing_is_made_for_nobody(hub: Hub) -> None:
    class Unreadable(dict[str, object]):
        def get(self, *_: object) -> object:
            raise AssertionError("somebody looked")

    hub.broadcast(Unreadable(), allow=lambda _principal: pytest.fail("somebody was asked"))


def test_a_filter_chooses_by_principal(hub: Hub) -> None:
    admin = joined(hub, 1, principal=signed_in("ADMIN"))
    nobody = joined(hub, 2)
    hub.broadcast({"type": "log:message"}, allow=lambda principal: principal.holds("ADMIN"))
    assert len(admin.sent) == 2
    assert len(nobody.sent) == 1


def test_who_has_left_is_forgotten(hub: Hub) -> None:
    connection = joined(hub)
    assert len(hub) == 1
    connection.leave(1006)
    assert len(hub) == 0


def test_who_was_gone_before_joining_is_forgotten(hub: Hub) -> None:
    connection = FakeConnection()
    connection.leave()
    hub.join(connection, limit=10)
    assert len(hub) == 0


class Forgetful(FakeConnection):
    """Closed without telling anybody."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.close_code = code

    def on_close(self, callback: object) -> None:
        pass


def test_a_close_that_nobody_tells_of_is_noticed(hub: Hub) -> None:
    connection = Forgetful()
    connection.close()
    hub.join(connection, limit=10)
    assert len(hub) == 0
    connection = Forgetful()
    hub.join(connection, limit=10)
    assert len(hub) == 1
    connection.close()
    hub.broadcast({"type": "test:one"})
    assert len(hub) == 0


def test_a_stalled_client_is_dropped_and_the_others_go_on(hub: Hub) -> None:
    stalled, lively = joined(hub, 1, max_queue=1000), joined(hub, 2)
    stalled.stalled = True
    for number in range(20):
        hub.broadcast({"type": "test:many", "number": number, "text": "x" * 100})
    assert stalled.close_code == 1013
    assert len(hub) == 1
    assert len(lively.sent) == 21


class Broken(FakeConnection):
    def send(self, message: str | bytes) -> bool:
        if len(self.sent) == 1:
            raise RuntimeError("broken")
        return super().send(message)


def test_a_broken_connection_costs_itself_alone(fake_context: FakeContext, hub: Hub) -> None:
    hub.join(Broken(id="broken"), limit=10)
    lively = joined(hub)
    hub.broadcast({"type": "test:one"})
    assert types(lively)[1:] == ["test:one"]
    assert len(hub) == 1
    assert "not sent to one client" in fake_context.log.messages[0]


def test_what_is_logged_may_be_broadcast(fake_context: FakeContext, hub: Hub) -> None:
    """As diagnostics does it: everybody sees the message before the log line about it."""

    def forward(record: object) -> None:
        hub.broadcast({"type": "log:message", "level": "error"})

    hub.join(Broken(id="broken"), limit=10)
    lively = [joined(hub, number) for number in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_context.log, "handle", forward)
        hub.broadcast({"type": "test:one"})
    for connection in lively:
        assert types(connection)[1:] == ["test:one", "log:message"]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": 5},
        {"type": "test:nan", "value": float("nan")},
        {"type": "test:object", "value": object()},
        {"type": "test:key", "value": {1: 2}},
        None,
        [],
    ],
)
def test_what_cannot_be_sent_is_logged_and_raises_nothing(
    fake_context: FakeContext, hub: Hub, message: Any
) -> None:
    connection = joined(hub)
    hub.broadcast(message)
    assert len(connection.sent) == 1
    (record,) = fake_context.log.records
    assert record.levelname == "ERROR"
    assert "was not sent" in record.getMessage()


def failing(principal: Principal) -> bool:
    raise RuntimeError("no idea")


def test_a_filter_that_fails_lets_nobody_through(fake_context: FakeContext, hub: Hub) -> None:
    connection = joined(hub)
    hub.broadcast({"type": "test:one"}, allow=failing)
    assert len(connection.sent) == 1
    (record,) = fake_context.log.records
    assert "'test:one'" in record.getMessage()


@pytest.mark.parametrize(
    ("message", "allow"),
    [({"type": "log:message", "meta": object()}, None), ({"type": "log:message"}, failing)],
)
def test_a_message_about_the_log_writes_no_log(
    fake_context: FakeContext, hub: Hub, message: Any, allow: Any
) -> None:
    joined(hub)
    hub.broadcast(message, allow=allow)
    assert fake_context.log.records == []


class Yielding(FakeConnection):
    """Lets another thread go on after each frame, so that orders mix where they can."""

    def send(self, message: str | bytes) -> bool:
        queued = super().send(message)
        time.sleep(0)
        return queued


def test_one_order_for_all(hub: Hub) -> None:
    connections = [Yielding(id=f"connection-{number}") for number in range(5)]
    for connection in connections:
        hub.join(connection, limit=100)
    senders = 4
    begin = threading.Barrier(senders)

    def send(sender: int) -> None:
        begin.wait()
        for number in range(50):
            allow = None if number % 2 else (lambda principal: True)
            hub.broadcast({"type": "test:many", "sender": sender, "number": number}, allow=allow)

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, range(senders)))
    first, *others = ([json.loads(frame) for frame in each.sent[1:]] for each in connections)
    assert len(first) == senders * 50
    assert all(other == first for other in others)
    for sender in range(senders):
        numbers = [message["number"] for message in first if message["sender"] == sender]
        assert numbers == list(range(50))


def test_joining_and_leaving_while_messages_go_out(hub: Hub) -> None:
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            hub.broadcast({"type": "test:many"})

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            for number in range(200):
                connection = joined(hub, number)
                assert types(connection)[0] == "connection:established"
                connection.leave()
        finally:
            over.set()
        sending.result()
    assert len(hub) == 0


def test_beyond_the_limit_a_connection_is_closed(hub: Hub) -> None:
    first = joined(hub, 1, limit=1)
    second = joined(hub, 2, limit=1)
    assert (second.close_code, second.sent) == (1013, [])
    assert not first.closed
    first.leave()
    assert not joined(hub, 3, limit=1).closed


def test_at_the_end_everybody_is_sent_away(hub: Hub) -> None:
    connections = [joined(hub, number) for number in range(2)]
    hub.close()
    assert [connection.close_code for connection in connections] == [1001, 1001]
    assert len(hub) == 0
    assert joined(hub, 3).close_code == 1001
    hub.broadcast({"type": "test:one"})
