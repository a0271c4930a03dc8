"""The WebSocket /ws through a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from plugin_sdk.testing import RunningHost
from plugin_sdk.testing.plugin import StartHost


def broadcast(host: RunningHost, message: dict[str, Any]) -> None:
    host.plugin("realtime").context.providers.active("realtime").broadcast(message)


def received(connection: Any) -> Any:
    return json.loads(connection.recv(timeout=30))


def drain(connection: Any) -> None:
    while True:  # a busy host may take its whole time to cut off who does not listen
        connection.recv(timeout=30)


def close_code(connection: Any) -> int:
    with pytest.raises(ConnectionClosed):
        drain(connection)
    code: int = connection.close_code
    return code


@contextmanager
def greeted(host: RunningHost) -> Iterator[Any]:
    with host.websocket("/ws") as connection:
        greeting = received(connection)
        assert sorted(greeting) == ["message", "timestamp", "type"]
        assert greeting["type"] == "connection:established"
        yield connection


def test_everybody_is_greeted_and_told(stagebox: StartHost) -> None:
    host = stagebox()
    with ExitStack() as stack:
        connections = [stack.enter_context(greeted(host)) for _ in range(3)]
        for number in range(10):
            broadcast(host, {"type": "test:many", "number": number})
        for connection in connections:
            assert [received(connection)["number"] for _ in range(10)] == list(range(10))


def test_frames_of_clients_are_ignored_up_to_their_limit(stagebox: StartHost) -> None:
    host = stagebox()
    with greeted(host) as connection:
        connection.send("text")
        connection.send(b"binary")
        connection.send("x" * 65_536)
        broadcast(host, {"type": "test:one"})
        assert received(connection) == {"type": "test:one"}
        connection.send("x" * 65_537)
        assert close_code(connection) == 1009


def test_a_client_that_reads_nothing_is_closed(stagebox: StartHost) -> None:
    host = stagebox(settings={"realtime": {"sendQueueBytes": 200_000}})
    with greeted(host) as slow, greeted(host) as quick:
        text = "x" * 65_536
        sent = 0
        while host.plugin("realtime").diagnostics() == {"connections": 2}:
            broadcast(host, {"type": "test:much", "number": sent, "text": text})
            assert received(quick)["number"] == sent
            sent += 1
            assert sent < 10_000, "what is not read must be dropped at some time"
        assert close_code(slow) in (1013, 1006)
        broadcast(host, {"type": "test:one"})
        assert received(quick) == {"type": "test:one"}


def test_more_than_may_be_are_refused(stagebox: StartHost) -> None:
    host = stagebox(settings={"realtime": {"maxConnections": 1}})
    with greeted(host):
        answer = host.get("/ws", headers=UPGRADE)
        assert answer.status == 503


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_what_is_no_upgrade_is_told_so(stagebox: StartHost) -> None:
    host = stagebox()
    answer = host.get("/ws")
    assert (answer.status, answer.json()["error"]) == (426, "UPGRADE_REQUIRED")
    assert answer.headers["upgrade"] == "websocket"
    answer = host.get("/ws", headers={**UPGRADE, "Sec-WebSocket-Version": "12"})
    assert answer.status == 426
    assert answer.headers["sec-websocket-version"] == "13"
    assert host.get("/ws/").status == 404
    assert host.get("/ws/", headers=UPGRADE).status == 404


def test_switched_off_clients_are_sent_away(stagebox: StartHost) -> None:
    host = stagebox()
    with greeted(host) as connection:
        host.disable("realtime")
        assert close_code(connection) == 1001
    assert host.get("/ws").status == 404
    assert host.get("/ws", headers=UPGRADE).status == 404
    host.enable("realtime")
    with greeted(host) as again:
        broadcast(host, {"type": "test:one"})
        assert received(again) == {"type": "test:one"}
