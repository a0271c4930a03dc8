"""The two reading routes, called directly; those over HTTP are in test_plugin_data_http."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

import builtin_plugins.plugin_data as plugin_data
from builtin_plugins.plugin_data.routes import META, QUERY, VALUE
from builtin_plugins.plugin_data.store import PluginDataStore
from plugin_sdk import Forbidden, NotFound, Route, TextBody
from plugin_sdk.testing import request


def read(plugin: plugin_data.PluginData, **query: str) -> str:
    answer = plugin.read(request(path="/api/plugin-data", query=query))
    assert isinstance(answer.body, TextBody)
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.body.content.decode()


def test_the_routes_are_those_of_the_contract(plugin: plugin_data.PluginData) -> None:
    data, meta = plugin.routes()
    assert isinstance(data, Route)
    assert isinstance(meta, Route)
    assert (data.method, data.path, data.access) == ("GET", "/api/plugin-data", "token")
    assert (data.operation_id, data.errors) == ("getPluginData", (400, 401))
    assert (meta.method, meta.path, meta.access) == ("GET", "/api/meta/{key:path}", "token")
    assert (meta.operation_id, meta.errors) == ("getMeta", (401, 404))
    assert (data.returns, meta.returns) == (VALUE, META)


@pytest.mark.parametrize(
    "value", [None, False, 0, 1.0, "", [], {}, [{"label": "Chïme", "n": 1e2}], "x" * 10_000]
)
def test_a_value_comes_as_it_is_stored(
    plugin: plugin_data.PluginData, store: PluginDataStore, value: Any
) -> None:
    store.set("p1", "k", value)
    text = read(plugin, pluginId="p1", key="k", scope="local")
    assert text == '{"value":' + (store.text("p1", "k") or "") + "}"


def test_nothing_is_null(plugin: plugin_data.PluginData) -> None:
    assert read(plugin, pluginId="p1", key="k", scope="local") == '{"value":null}'
    assert (
        read(plugin, pluginId="p\0", key="\ud800", scope="server", serverId="\0")
        == '{"value":null}'
    )


def test_the_scope_says_whether_the_server_counts(
    plugin: plugin_data.PluginData, store: PluginDataStore
) -> None:
    store.set("p1", "k", "mine")
    store.set("p1", "k", "room", "server", "room-1")
    assert (
        read(plugin, pluginId="p1", key="k", scope="local", serverId="room-1") == '{"value":"mine"}'
    )
    where = {"pluginId": "p1", "key": "k", "scope": "server"}
    assert read(plugin, **where, serverId="room-1") == '{"value":"room"}'
    assert read(plugin, **where, serverId="room-2") == '{"value":null}'


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({}, {"key", "pluginId", "scope"}),
        ({"pluginId": "", "key": "", "scope": ""}, {"key", "pluginId", "scope"}),
        ({"pluginId": "p", "key": "k"}, {"scope"}),
        ({"pluginId": "p", "key": "k", "scope": "profile"}, {"scope"}),
        ({"pluginId": "p", "key": "k", "scope": "server"}, {"serverId"}),
        ({"pluginId": "p", "key": "k", "scope": "server", "serverId": ""}, {"serverId"}),
        ({"key": "", "scope": "server"}, {"key", "pluginId", "serverId"}),
        ({"pluginId": "p", "key": "k", "scope": "Local"}, {"scope"}),
        ({"pluginId": "p", "key": "k", "scope": "local", "serverId": ""}, set()),
        ({"pluginId": "p", "key": "k", "scope": "local", "more": "1"}, set()),
        ({"pluginId": "p", "key": "k", "scope": "server", "serverId": "r"}, set()),
    ],
)
def test_the_schema_of_the_parameters_names_everything_wrong(
    query: dict[str, str], wrong: set[str]
) -> None:
    found = set()
    for error in Draft202012Validator(QUERY).iter_errors(query):
        if error.validator == "required":
            found |= {name for name in error.validator_value if name not in query}
        else:
            found.add(str(error.path[0]))
    assert found == wrong


@pytest.mark.parametrize("key", ["metoyou_currentUserId", "a/b", "a b", "100%", "/", "x/"])
def test_meta_is_read(plugin: plugin_data.PluginData, store: PluginDataStore, key: str) -> None:
    store.set_meta(key, "välue")
    answer = plugin.read_meta(request(params={"key": key}))
    assert answer.body == {"key": key, "value": "välue"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("key", ["", "missing", "a\0", "\ud800", "Metoyou_currentUserId"])
def test_meta_that_is_not_there_is_not_found(
    plugin: plugin_data.PluginData, store: PluginDataStore, key: str
) -> None:
    store.set_meta("metoyou_currentUserId", "alice")
    with pytest.raises(NotFound):
        plugin.read_meta(request(params={"key": key}))


@pytest.mark.parametrize("peer", ["192.168.1.5", "::ffff:10.0.0.1", "fe80::1%eth0", ""])
def test_other_machines_read_once_exposed(
    plugin: plugin_data.PluginData, store: PluginDataStore, host_settings: Any, peer: str
) -> None:
    store.set_meta("k", "v")
    query = {"pluginId": "p1", "key": "k", "scope": "local"}
    asked = request(query=query, params={"key": "k"}, peer=peer)
    with pytest.raises(Forbidden) as refused:
        plugin.guard(asked)
    assert refused.value.code == "LAN_DISABLED"
    host_settings.plugins["local_api"]["exposeOnLan"] = True
    plugin.guard(asked)
    assert plugin.read(asked).status == 200
    assert plugin.read_meta(asked).status == 200
    host_settings.plugins.clear()
    with pytest.raises(Forbidden):
        plugin.guard(asked)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_reads(plugin: plugin_data.PluginData, peer: str) -> None:
    query = {"pluginId": "p1", "key": "k", "scope": "local"}
    assert plugin.read(request(query=query, peer=peer)).status == 200
