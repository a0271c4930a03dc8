"""The WebSocket /ws through a real host."""

from __future__ import annotations

import json
from typing import Any

from plugin_sdk.testing import RunningHost
from plugin_sdk.testing.plugin import StartHost


def broadcast(host: RunningHost, message: dict[str, Any]) -> None:
    """As any plugin does it."""
    host.plugin("realtime").context.providers.active("realtime").broadcast(message)


def received(connection: Any) -> Any:
    return json.loads(connection.recv())


def greeted(host: RunningHost) -> Any:
    connection = host.websocket("/ws")
    greeting = received(connection)
    assert sorted(greeting) == ["message", "timestamp", "type"]
    assert greeting["type"] == "connection:established"
    return connection


def test_everybody_is_greeted_and_told(stagebox: StartHost) -> None:
    host = stagebox()
    connections = [greeted(host) for _ in range(3)]
    for number in range(10):
        broadcast(host, {"type": "test:many", "number": number})
    for connection in connections:
        assert [received(connection)["number"] for _ in range(10)] == list(range(10))
        connection.close()


def test_frames_of_clients_are_ignored(stagebox: StartHost) -> None:
    host = stagebox()
    connection = greeted(host)
    connection.send("text")
    connection.send(b"binary")
    broadcast(host, {"type": "test:one"})
    assert received(connection) == {"type": "test:one"}
    connection.close()


def test_a_plain_request_is_told_to_upgrade(stagebox: StartHost) -> None:
    host = stagebox()
    answer = host.get("/ws")
    assert (answer.status, answer.json()["error"]) == (426, "UPGRADE_REQUIRED")
    assert answer.headers["Upgrade"] == "websocket"
    assert host.get("/ws/").status == 404


def test_switched_off_clients_are_sent_away_and_broadcasts_do_nothing(
    stagebox: StartHost,
) -> None:
    host = stagebox()
    connection = greeted(host)
    host.disable("realtime")
    for _ in connection:  # until the host closes
        pass
    assert connection.close_code == 1001
    assert host.get("/ws").status == 404
    host.enable("realtime")
    again = greeted(host)
    broadcast(host, {"type": "test:one"})
    assert received(again) == {"type": "test:one"}
    again.close()
