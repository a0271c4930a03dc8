"""Plugin data and meta as clients meet them: through a real host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

import pytest

from builtin_plugins.plugin_data.store import PluginDataStore
from plugin_sdk import AuthProvider, Invalid, Login, Plugin, Principal, Provider, Request, route
from plugin_sdk.testing import RunningHost
from plugin_sdk.testing.plugin import StartHost


class Keeper(Plugin):
    """Keeps what it is told, as plugins do."""

    manifest: ClassVar = {"id": "example.keeper"}

    @route("POST", "/keep", body={"type": "object"})
    def keep(self, request: Request) -> None:
        body = request.body
        self.context.data.scope(body["scope"], body["id"]).set(body["key"], body["value"])


class Doorman(AuthProvider):
    """Knows one token."""

    name = "door"

    def claims(self, body: Mapping[str, Any]) -> bool:
        return False

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        raise Invalid

    def identify(self, token: str) -> Principal | None:
        return Principal("alice", "Alice") if token == "alice" else None

    def logout(self, token: str) -> bool:
        return False


class Door(Plugin):
    manifest: ClassVar = {
        "id": "example.door",
        "providers": [{"type": "auth", "name": "door"}],
    }

    def providers(self) -> list[Provider]:
        return [Provider("auth", "door", Doorman())]


@pytest.fixture
def host(stagebox: StartHost) -> RunningHost:
    return stagebox(Door)


def read(host: RunningHost, path: str) -> Any:
    return host.get(path, token="alice")


@pytest.fixture
def store(host: RunningHost) -> PluginDataStore:
    store = host.plugin("plugin_data").context.services.get("plugin_data.store")
    assert isinstance(store, PluginDataStore)
    return store


def value(host: RunningHost, query: str) -> Any:
    answer = read(host, "/api/plugin-data?" + query)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    body = answer.json()
    assert list(body) == ["value"]
    return body["value"]


def wrong(host: RunningHost, query: str) -> list[str]:
    answer = read(host, "/api/plugin-data?" + query)
    assert answer.status == 400
    body = answer.json()
    assert body["error"] == "INVALID_REQUEST"
    assert body["message"]
    assert all(detail["message"] for detail in body["details"])
    return sorted(detail["path"] for detail in body["details"])


def test_a_value_is_read(host: RunningHost, store: PluginDataStore) -> None:
    store.set("p1", "k", [{"label": "Chime"}])
    store.set("p1", "k", 1.5, "server", "room 1&?")
    assert value(host, "pluginId=p1&key=k&scope=local") == [{"label": "Chime"}]
    assert value(host, "pluginId=p1&key=k&scope=local&serverId=x") == [{"label": "Chime"}]
    assert value(host, "pluginId=p1&key=k&scope=server&serverId=room%201%26%3F") == 1.5
    assert value(host, "pluginId=p1&key=other&scope=local") is None


def test_of_a_repeated_parameter_the_first_counts(
    host: RunningHost, store: PluginDataStore
) -> None:
    store.set("p1", "k", 1)
    assert value(host, "pluginId=p1&pluginId=p2&key=k&key=x&scope=local&scope=server") == 1


WRONG = [
    ("", ["key", "pluginId", "scope"]),
    ("pluginId=&key=&scope=", ["key", "pluginId", "scope"]),
    ("pluginId=p&key=k", ["scope"]),
    ("pluginId=p&key=k&scope=profile", ["scope"]),
    ("pluginId=p&key=k&scope=server", ["serverId"]),
    ("pluginId=p&key=k&scope=server&serverId=", ["serverId"]),
    ("scope=server", ["key", "pluginId", "serverId"]),
]


def test_wrong_parameters_are_all_named(host: RunningHost) -> None:
    assert [(query, wrong(host, query)) for query, _ in WRONG] == WRONG


def test_a_wrong_token_comes_before_everything_else(host: RunningHost) -> None:
    for path in ("/api/plugin-data?scope=wrong", "/api/meta/k", "/api/meta/missing"):
        answer = host.get(path, token="wrong")
        assert answer.status == 401
        assert answer.json()["error"] == "UNAUTHORIZED"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_meta_keys_are_everything_behind_the_prefix(
    host: RunningHost, store: PluginDataStore
) -> None:
    for key in ("plain", "a/b", "a b", "100%", "é😀", "x/", "/x", "a//b", "..", "?#&", "\n"):
        store.set_meta(key, "välue of " + key)
        answer = read(host, "/api/meta/" + quote(key, safe="").replace(".", "%2E"))
        assert (answer.status, answer.json()) == (200, {"key": key, "value": "välue of " + key})
        assert answer.headers["cache-control"] == "no-store"


def test_meta_that_is_not_there(host: RunningHost) -> None:
    for path in ("/api/meta", "/api/meta/", "/api/meta/missing", "/api/meta/%FF", "/api/meta/%00"):
        answer = read(host, path)
        assert (answer.status, answer.json()["error"]) == (404, "NOT_FOUND"), path


def test_no_method_writes(host: RunningHost) -> None:
    for path in ("/api/plugin-data", "/api/meta/k"):
        for send in (host.post, host.put, host.patch, host.delete):
            answer = send(path)
            assert answer.status == 405
            assert {"GET", "HEAD", "OPTIONS"} == {
                each.strip() for each in answer.headers["allow"].split(",")
            }


def test_what_a_plugin_keeps_is_shown(stagebox: StartHost) -> None:
    host = stagebox(Keeper, Door)
    plugin_id = "example.keeper"
    local = f"pluginId={plugin_id}&key=k&scope=local"
    room = f"pluginId={plugin_id}&key=k&scope=server&serverId=room-1"
    store = host.plugin("plugin_data").context.services.get("plugin_data.store")
    store.set(plugin_id, "k", "imported")
    store.set(plugin_id, "k", "imported too", "server", "room-1")
    assert value(host, local) == "imported"
    for scope, scope_id in (("local", ""), ("server", "room-1")):
        kept = {"scope": scope, "id": scope_id, "key": "k", "value": {"live": scope}}
        assert host.post(f"/api/plugins/{plugin_id}/keep", json=kept).status == 204
    assert value(host, local) == {"live": "local"}
    assert value(host, room) == {"live": "server"}
    host.disable(plugin_id)
    assert value(host, local) == {"live": "local"}, "data stay while a plugin is off"


def test_purging_a_plugin_takes_its_rows_along(stagebox: StartHost) -> None:
    host = stagebox(Keeper, Door)
    store = host.plugin("plugin_data").context.services.get("plugin_data.store")
    store.set("example.keeper", "k", "imported")
    store.set("example.keeper", "k", "his", "server", "room-1", owner="bob")
    store.set("example.other", "k", "stays")
    kept = {"scope": "local", "id": "", "key": "k", "value": "live"}
    assert host.post("/api/plugins/example.keeper/keep", json=kept).status == 204
    assert host.post("/api/plugins/example.keeper/purge").status == 204
    assert not store.holds("example.keeper")
    assert value(host, "pluginId=example.keeper&key=k&scope=local") is None
    assert value(host, "pluginId=example.other&key=k&scope=local") == "stays"
    assert host.post("/api/plugins/example.other/purge").status == 204, "never installed here"
    assert not store.holds("example.other")
    assert host.post("/api/plugins/example.other/purge").status == 404


def test_rows_survive_a_restart(host: RunningHost, store: PluginDataStore) -> None:
    store.set("p1", "k", 1)
    store.set_meta("m", "text")
    host.restart()
    assert value(host, "pluginId=p1&key=k&scope=local") == 1
    assert read(host, "/api/meta/m").json()["value"] == "text"


def test_switched_off_it_is_as_if_it_had_never_been_there(host: RunningHost) -> None:
    host.disable("plugin_data")
    for path in ("/api/plugin-data", "/api/meta/k"):
        assert host.get(path).status == 404
    host.enable("plugin_data")
    assert read(host, "/api/plugin-data").status == 400
