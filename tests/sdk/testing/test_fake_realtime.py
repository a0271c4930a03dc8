"""Broadcasts and WebSockets in memory."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk import ANONYMOUS, Connection, Invalid
from plugin_sdk.testing import FakeConnection, FakeRealtime, request, signed_in


def test_broadcasts_are_kept() -> None:
    realtime = FakeRealtime()
    message = {"type": "board:added", "labels": ["boo"]}
    realtime.broadcast(message)
    message["labels"] = []
    realtime.broadcast({"type": "board:secret"}, allow=lambda who: who.holds("ADMIN"))
    assert realtime.sent == [{"type": "board:added", "labels": ["boo"]}, {"type": "board:secret"}]
    assert realtime.sent_to(signed_in("ADMIN")) == realtime.sent
    assert realtime.sent_to(ANONYMOUS) == realtime.sent[:1]


@pytest.mark.parametrize(
    "message",
    [{}, {"type": "added"}, {"type": ":added"}, {"type": "board:"}, {"type": "a:b", "x": object()}],
)
def test_messages_that_no_client_knows(message: dict[str, Any]) -> None:
    realtime = FakeRealtime()
    with pytest.raises(Invalid):
        realtime.broadcast(message)
    assert realtime.sent == []


def _greet(connection: Connection) -> None:
    connection.on_message(lambda message: connection.send(f"heard {message!r}"))
    connection.send_json({"hello": connection.principal.name})


def test_a_handler_talks_to_its_client() -> None:
    connection = FakeConnection(principal=signed_in(name="Alice"))
    _greet(connection)
    assert connection.sent_json == [{"hello": "Alice"}]
    connection.receive("a")
    connection.receive(b"b")
    connection.receive({"é": 1})
    assert connection.sent[1:] == ["heard 'a'", "heard b'b'", "heard '{\"é\":1}'"]


def test_the_request_of_the_upgrade_tells_who_it_is() -> None:
    principal = signed_in()
    connection = FakeConnection(request(query={"room": "1"}, principal=principal))
    assert connection.principal is principal
    assert connection.request.query["room"] == "1"
    assert FakeConnection().principal is ANONYMOUS


@pytest.mark.parametrize("who", ["client", "plugin"])
def test_an_end_is_told_once(who: str) -> None:
    connection = FakeConnection()
    ends: list[tuple[int, str]] = []
    connection.on_close(lambda code, reason: ends.append((code, reason)))
    assert not connection.closed
    (connection.leave if who == "client" else connection.close)(1001, "bye")
    connection.close(1000)
    connection.leave()
    assert ends == [(1001, "bye")]
    assert connection.closed
    assert (connection.close_code, connection.close_reason) == (1001, "bye")
    connection.on_close(lambda code, reason: ends.append((code, reason)))
    assert ends == [(1001, "bye")] * 2


def test_nothing_goes_over_a_closed_connection() -> None:
    connection = FakeConnection()
    connection.close()
    assert connection.send("late") is False
    assert connection.send_json(1) is False
    assert connection.sent == []
    with pytest.raises(RuntimeError, match="closed"):
        connection.receive("late")


def test_a_client_that_reads_nothing_is_closed() -> None:
    connection = FakeConnection(max_queue=10)
    assert connection.send("x" * 100) is True
    connection.stalled = True
    assert connection.send("12345") is True
    assert connection.send(b"12345") is True
    assert connection.send("é") is False
    assert connection.close_code == 1013
    assert connection.sent[1:] == ["12345", b"12345"]


def test_what_a_callback_raises_comes_through() -> None:
    connection = FakeConnection()
    connection.on_message(lambda message: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        connection.receive("a")


def test_the_last_callback_alone_is_called() -> None:
    connection, heard = FakeConnection(), []
    for name in ("first", "last"):
        connection.on_message(lambda message, name=name: heard.append((name, message)))
    connection.receive("x")
    assert heard == [("last", "x")]


def test_what_the_host_refuses_is_refused() -> None:
    connection = FakeConnection()
    for code, reason in (
        (1005, ""),
        (1006, ""),
        (1015, ""),
        (999, ""),
        (5000, ""),
        (1000, "x" * 124),
    ):
        with pytest.raises(Invalid):
            connection.close(code, reason)
    for message in (5, "\ud800"):
        with pytest.raises(Invalid):
            connection.send(message)  # type: ignore[arg-type]  # that is what is tried
    assert not connection.closed
    connection.leave(1006)
    assert connection.close_code == 1006
