"""What the realtime plugin declares, and how its parts come together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import builtin_plugins.realtime as realtime
from plugin_sdk import WebSocketRoute
from plugin_sdk.testing import FakeConnection, FakeContext

FOLDER = Path(realtime.__file__).parent


@pytest.fixture
def context() -> Iterator[FakeContext]:
    with FakeContext.for_folder(FOLDER) as context:
        yield context


def the_route(plugin: realtime.RealtimePlugin) -> WebSocketRoute:
    (route,) = plugin.routes()
    assert isinstance(route, WebSocketRoute)
    return route


def test_the_route_is_open_and_has_the_limits_of_the_contract(context: FakeContext) -> None:
    route = the_route(context.start(realtime.plugin))
    assert (route.path, route.access, route.permission) == ("/ws", "open", None)
    assert (route.ping_interval, route.max_connections, route.max_queue) == (30, 4096, 1_048_576)
    assert route.max_message == 64 * 1024


def test_the_limits_follow_the_settings() -> None:
    settings = {"pingIntervalSeconds": 1.5, "maxConnections": 2, "sendQueueBytes": 4096}
    with FakeContext.for_folder(FOLDER, settings=settings) as context:
        route = the_route(context.start(realtime.plugin))
    assert (route.ping_interval, route.max_connections, route.max_queue) == (1.5, 2, 4096)


def test_a_broadcast_reaches_who_listens(context: FakeContext) -> None:
    plugin = context.start(realtime.plugin)
    connection = FakeConnection()
    the_route(plugin).handler(connection)
    connection.receive("ignored")
    connection.receive(b"ignored")
    context.providers.active("realtime").broadcast({"type": "test:one", "x": 1})
    assert connection.sent_json[1:] == [{"type": "test:one", "x": 1}]
    assert plugin.diagnostics() == {"connections": 1}
    context.stop(plugin)
    assert connection.close_code == 1001


def test_a_lowered_limit_counts_for_the_next_connection(context: FakeContext) -> None:
    plugin = context.start(realtime.plugin)
    handler = the_route(plugin).handler
    handler(FakeConnection(id="one"))
    context.settings.update({"maxConnections": 1})
    late = FakeConnection(id="two")
    handler(late)
    assert late.close_code == 1013
