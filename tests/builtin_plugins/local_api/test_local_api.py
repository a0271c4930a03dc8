"""Health, and who may ask for it from where."""

from __future__ import annotations

from typing import Any

import pytest

import builtin_plugins.local_api as local_api
from builtin_plugins.local_api.health import HEALTH
from plugin_sdk import Forbidden, Response, Route
from plugin_sdk.testing import FakeContext, request


def health(plugin: local_api.LocalApi, **options: Any) -> Any:
    asked = request(path="/api/health", **options)
    plugin.guard(asked)
    answer = plugin.health(asked)
    assert isinstance(answer, Response)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.body


def warnings(context: FakeContext) -> list[str]:
    return [record.getMessage() for record in context.log.records if record.levelno >= 30]


def test_health_has_exactly_four_members(context: FakeContext, plugin: local_api.LocalApi) -> None:
    body = health(plugin)
    assert body == {
        "status": "ok",
        "version": "1.2.3",
        "timestamp": context.clock.ms(),
        "exposeOnLan": False,
    }
    assert list(body) == HEALTH["required"] == list(HEALTH["properties"])


def test_health_asks_no_database(context: FakeContext, plugin: local_api.LocalApi) -> None:
    with context.data.transaction():  # the writer is busy
        assert health(plugin)["status"] == "ok"


def test_the_route_is_open_and_documented(plugin: local_api.LocalApi) -> None:
    route = next(each for each in plugin.routes() if each.path == "/api/health")
    assert isinstance(route, Route)
    assert (route.method, route.path, route.access) == ("GET", "/api/health", "open")
    assert (route.operation_id, route.status, route.returns) == ("getHealth", 200, HEALTH)
    assert route.summary


@pytest.mark.parametrize("wish", [False, True])
@pytest.mark.parametrize("bound", [False, True])
def test_exposed_is_the_running_state(
    context: FakeContext, host: Any, plugin: local_api.LocalApi, wish: bool, bound: bool
) -> None:
    context.settings.update({"exposeOnLan": wish})
    host.bound_beyond_loopback = bound
    assert health(plugin)["exposeOnLan"] is (wish and bound)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_answered(plugin: local_api.LocalApi, peer: str) -> None:
    assert request(peer=peer).loopback
    assert health(plugin, peer=peer)["status"] == "ok"


@pytest.mark.parametrize(
    "peer", ["192.168.1.5", "10.0.0.1", "::ffff:192.168.1.5", "fe80::1%eth0", "::", "0.0.0.0", ""]
)
def test_other_machines_are_answered_once_exposed(
    context: FakeContext, plugin: local_api.LocalApi, peer: str
) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    with pytest.raises(Forbidden) as refused:
        health(plugin, peer=peer, headers=headers)
    assert refused.value.code == "LAN_DISABLED"
    context.settings.update({"exposeOnLan": True})
    assert health(plugin, peer=peer)["status"] == "ok"


def test_becoming_exposed_is_warned_of_once(
    context: FakeContext, host: Any, plugin: local_api.LocalApi
) -> None:
    context.settings.update({"exposeOnLan": True})
    assert warnings(context) == [], "no listener is bound beyond loopback"
    host.bound_beyond_loopback = True
    for _ in range(2):
        context.events.receive("host.started")
    (warning,) = warnings(context)
    assert "unencrypted" in warning
    assert "restrictToLocalUser" in warning


def test_each_time_anew_it_is_warned_of(
    context: FakeContext, host: Any, plugin: local_api.LocalApi
) -> None:
    host.bound_beyond_loopback = True
    context.settings.update({"restrictToLocalUser": True})
    for wish in (True, False, True):
        context.settings.update({"exposeOnLan": wish})
    first, second = warnings(context)
    assert first == second
    assert "restrictToLocalUser" not in first
