"""The service plugin_data.store."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builtin_plugins.plugin_data import PluginData
from builtin_plugins.plugin_data.store import PluginDataStore
from builtin_plugins.plugin_data.tables import CURRENT_USER
from plugin_sdk import MAX_VALUE_BYTES, Forbidden, Invalid, TooLarge
from plugin_sdk.testing import FakeContext, signed_in

BOARD = "example.soundboard"
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def told(context: FakeContext) -> list[tuple[str, Any]]:
    return [(event.name, dict(event.data)) for event in context.events.emitted]


@settings(max_examples=50)
@given(key=TEXT.filter(bool), value=VALUES, server=st.sampled_from(["", "room-1"]))
def test_what_is_set_is_read(store: PluginDataStore, key: str, value: Any, server: str) -> None:
    scope = "server" if server else "local"
    store.set(BOARD, key, value, scope, server)
    assert store.get(BOARD, key, scope, server) == value
    text = store.text(BOARD, key, scope, server)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert store.remove(BOARD, key, scope, server) is True
    assert store.remove(BOARD, key, scope, server) is False
    assert store.text(BOARD, key, scope, server) is None


def test_kinds_of_numbers_are_kept(store: PluginDataStore) -> None:
    store.set(BOARD, "numbers", [1, 1.0, -0.0, 10**30])
    assert store.text(BOARD, "numbers") == "[1,1.0,-0.0,1000000000000000000000000000000]"


def test_null_is_a_value_of_its_own(store: PluginDataStore) -> None:
    store.set(BOARD, "k", None)
    assert store.text(BOARD, "k") == "null"
    assert store.remove(BOARD, "k") is True


def test_places_are_apart(store: PluginDataStore) -> None:
    store.set(BOARD, "k", "local")
    store.set(BOARD, "k", "one", "server", "room-1")
    store.set(BOARD, "k", "two", "server", "room-2")
    store.set("example.other", "k", "other")
    store.set(BOARD, "K", "upper")
    assert store.get(BOARD, "k") == "local"
    assert store.get(BOARD, "k", "server", "room-1") == "one"
    assert store.get(BOARD, "k", "server", "room-2") == "two"
    assert store.get(BOARD, "k", "server", "room-3") is None
    assert store.get("example.other", "k") == "other"
    assert store.get(BOARD, "K") == "upper"


def test_scope_local_ignores_the_server(store: PluginDataStore) -> None:
    store.set(BOARD, "k", 1, "local", "room-1")
    assert store.get(BOARD, "k") == 1
    assert store.get(BOARD, "k", "local", "room-2") == 1
    assert store.remove(BOARD, "k", "local", "room-3") is True


# Owners


def test_the_owner_is_the_current_local_user(store: PluginDataStore) -> None:
    assert store.owner() == ""
    store.set(BOARD, "k", "nobody")
    store.set_meta(CURRENT_USER, "alice")
    assert store.owner() == "alice"
    assert store.get(BOARD, "k") is None, "there is no fall-back"
    store.set(BOARD, "k", "hers")
    assert store.get(BOARD, "k") == "hers"
    store.unset_meta(CURRENT_USER)
    assert store.get(BOARD, "k") == "nobody"


def test_an_owner_can_be_named(store: PluginDataStore) -> None:
    store.set(BOARD, "k", 1, owner="bob")
    assert store.get(BOARD, "k") is None
    assert store.get(BOARD, "k", owner="bob") == 1
    store.set_meta(CURRENT_USER, "bob")
    assert store.get(BOARD, "k") == 1
    assert store.get(BOARD, "k", owner="") is None
    assert store.remove(BOARD, "k", owner="bob") is True


# What plugins keep themselves


def test_what_the_plugin_itself_keeps_comes_first(store: PluginDataStore, live: Any) -> None:
    store.set(BOARD, "k", "imported")
    live.keep(BOARD, "k", "live")
    live.keep(BOARD, "k", "room", "server", "room-1")
    assert store.get(BOARD, "k") == "live"
    assert store.get(BOARD, "k", "server", "room-1") == "room"
    assert store.get(BOARD, "k", "server", "room-2") is None
    assert store.get(BOARD, "k", owner="") == "imported", "an owner names a row"
    live.texts.clear()
    assert store.get(BOARD, "k") == "imported"


def test_a_live_null_hides_a_row(store: PluginDataStore, live: Any) -> None:
    store.set(BOARD, "k", "imported")
    live.keep(BOARD, "k", None)
    assert store.text(BOARD, "k") == "null"


@pytest.mark.parametrize("plugin_id", ["../host", "UPPER", "a", "x" * 65, "a b", "ok\n"])
def test_only_plugin_ids_are_asked_of_the_host(
    store: PluginDataStore, live: Any, plugin_id: str
) -> None:
    assert store.get(plugin_id, "k") is None
    assert live.asked == []


def test_rows_may_stand_under_ids_that_no_plugin_can_have(store: PluginDataStore) -> None:
    store.set("Some Plugin", "k", 1)
    assert store.get("Some Plugin", "k") == 1


# What is refused


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        (("", "k"), ["pluginId"]),
        (("p", ""), ["key"]),
        (("", ""), ["pluginId", "key"]),
        (("p" * 256, "k" * 1025), ["pluginId", "key"]),
        (("p\n", "k"), ["pluginId"]),
        (("p", "k", "profile"), ["scope"]),
        (("p", "k", "server"), ["serverId"]),
        (("p", "k", "server", "a/b"), ["serverId"]),
        (("p", "k\0"), ["key"]),
        (("\ud800", "k\udfff"), ["pluginId", "key"]),
        (("p", "k", "local", "", "o\r"), ["owner"]),
        ((5, None, "server", 7), ["pluginId", "key", "serverId"]),
    ],
)
def test_every_problem_of_a_place_is_named(
    store: PluginDataStore, place: tuple[Any, ...], paths: list[str]
) -> None:
    plugin_id, key, scope, server_id, owner = (*place, *("local", "", None)[len(place) - 2 :])
    with pytest.raises(Invalid) as refused:
        store.set(plugin_id, key, 1, scope, server_id, owner)
    assert [problem.path for problem in refused.value.details] == paths
    assert paths[0] in refused.value.message
    with pytest.raises(Invalid):
        store.remove(plugin_id, key, scope, server_id, owner)
    assert list(store.rows()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", "\0", object(), {1: 2}])
def test_what_is_no_json_is_refused(store: PluginDataStore, value: Any) -> None:
    with pytest.raises(Invalid):
        store.set(BOARD, "k", value)
    assert store.text(BOARD, "k") is None


def test_too_much_is_refused(store: PluginDataStore) -> None:
    largest = "x" * (MAX_VALUE_BYTES - 2)
    store.set(BOARD, "k", largest)
    with pytest.raises(TooLarge):
        store.set(BOARD, "k", largest + "x")
    assert store.get(BOARD, "k") == largest
    with pytest.raises(TooLarge):
        store.set_meta("k", largest + "xxx")


@pytest.mark.parametrize("odd", ["k\0", "\ud800"])
def test_what_no_database_holds_names_nothing(store: PluginDataStore, odd: str) -> None:
    assert store.text(odd, "k") is None
    assert store.text(BOARD, odd) is None
    assert store.text(BOARD, "k", "server", odd) is None
    assert store.text(BOARD, "k", owner=odd) is None
    assert store.get_meta(odd) is None
    assert store.unset_meta(odd) is False
    assert store.holds(odd) is False
    assert store.purge(odd) == 0


# Meta


@pytest.mark.parametrize("key", ["a", "a/b/", "a b%41?#&", "é\n😀", "k" * 1024])
@pytest.mark.parametrize("value", ["", "text", '{"a": 1}', "é\n😀"])
def test_meta(store: PluginDataStore, key: str, value: str) -> None:
    assert store.get_meta(key) is None
    store.set_meta(key, "before")
    store.set_meta(key, value)
    assert store.get_meta(key) == value
    assert store.metas() == {key: value}
    assert store.unset_meta(key) is True
    assert store.unset_meta(key) is False


@pytest.mark.parametrize(
    ("key", "value"),
    [("", "v"), ("k" * 1025, "v"), ("k\0", "v"), ("k", 5), ("k", None), ("k", "\0")],
)
def test_meta_that_cannot_be_kept_is_refused(store: PluginDataStore, key: str, value: Any) -> None:
    with pytest.raises(Invalid):
        store.set_meta(key, value)
    assert store.metas() == {}


# Events and transactions


def test_changes_are_told_and_nothing_else(context: FakeContext, store: PluginDataStore) -> None:
    store.set(BOARD, "k", 1)
    store.set(BOARD, "k", 1)
    store.set(BOARD, "k", 1.0)
    store.remove(BOARD, "k")
    store.remove(BOARD, "k")
    store.set(BOARD, "k", 1, "server", "room-1")
    store.set_meta("m", "1")
    store.set_meta("m", "1")
    store.unset_meta("m")
    store.unset_meta("m")
    local = {"pluginId": BOARD, "key": "k", "scope": "local", "serverId": ""}
    assert told(context) == [
        ("plugin_data.changed", local),
        ("plugin_data.changed", local),
        ("plugin_data.changed", local),
        ("plugin_data.changed", {**local, "scope": "server", "serverId": "room-1"}),
        ("plugin_data.meta_changed", {"key": "m"}),
        ("plugin_data.meta_changed", {"key": "m"}),
    ]


def test_a_batch_is_all_or_nothing(context: FakeContext, store: PluginDataStore) -> None:
    def import_half() -> None:
        with store.batch():
            store.set_meta(CURRENT_USER, "alice")
            store.set(BOARD, "k", 1)
            assert store.get(BOARD, "k", owner="alice") == 1, "the owner of this very import"
            store.set(BOARD, "", 1)

    with pytest.raises(Invalid):
        import_half()
    assert list(store.rows()) == []
    assert store.metas() == {}
    assert told(context) == []


def test_writers_at_once_lose_nothing(store: PluginDataStore) -> None:
    def write(number: int) -> None:
        for turn in range(10):
            with store.batch():
                store.set(BOARD, "sum", (store.get(BOARD, "sum") or 0) + 1)
            store.set(BOARD, f"{number}/{turn}", number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert store.get(BOARD, "sum") == 40
    assert len(list(store.rows())) == 41


# For import, export and purge


def test_rows_come_in_the_form_of_an_import(store: PluginDataStore) -> None:
    store.set("p2", "k", {"a": [1]}, owner="bob")
    store.set("p1", "k", None, "server", "room-1", owner="bob")
    store.set("p1", "k", "x")
    assert list(store.rows()) == [
        {"pluginId": "p1", "key": "k", "value": "x", "scope": "local", "owner": ""},
        {
            "pluginId": "p1",
            "key": "k",
            "value": None,
            "scope": "server",
            "serverId": "room-1",
            "owner": "bob",
        },
        {"pluginId": "p2", "key": "k", "value": {"a": [1]}, "scope": "local", "owner": "bob"},
    ]


def test_clearing(context: FakeContext, store: PluginDataStore) -> None:
    assert store.clear() == 0
    assert store.clear_meta() == 0
    store.set(BOARD, "k", 1)
    store.set("p", "k", 1, owner="bob")
    store.set_meta("a", "1")
    store.set_meta("b", "2")
    context.events.clear()
    assert store.clear() == 2
    assert store.clear_meta() == 2
    assert list(store.rows()) == []
    assert store.metas() == {}
    assert told(context) == [
        ("plugin_data.cleared", {}),
        ("plugin_data.meta_changed", {"key": "a"}),
        ("plugin_data.meta_changed", {"key": "b"}),
    ]


def test_purging_one_plugin(plugin: PluginData, store: PluginDataStore) -> None:
    store.set(BOARD, "k", 1)
    store.set(BOARD, "k", 1, "server", "room-1", owner="bob")
    store.set("example.other", "k", 1)
    assert store.holds(BOARD) is True
    assert plugin.holds(BOARD) == {"rows of clients": 2}
    assert plugin.purge(BOARD, "data") == 2
    assert store.holds(BOARD) is False
    assert [row["pluginId"] for row in store.rows()] == ["example.other"]
    assert plugin.purge(BOARD, "all") == 0
    assert plugin.holds(BOARD) == {"rows of clients": 0}
    assert store.purge("example.other") == 1


# Who may write


WRITES: list[tuple[str, Callable[[PluginDataStore], object]]] = [
    ("plugin_data:write-all", lambda store: store.set("example.other", "k", 2)),
    ("plugin_data:write-all", lambda store: store.remove("example.other", "k")),
    ("plugin_data:write-all", lambda store: store.purge("example.other")),
    ("plugin_data:write-all", lambda store: store.clear()),
    ("plugin_data:write-meta", lambda store: store.set_meta("m", "2")),
    ("plugin_data:write-meta", lambda store: store.unset_meta("m")),
    ("plugin_data:write-meta", lambda store: store.clear_meta()),
]


@pytest.mark.parametrize(("permission", "write"), WRITES)
def test_a_plugin_writes_elsewhere_only_for_who_may(
    store: PluginDataStore, permission: str, write: Callable[[PluginDataStore], object]
) -> None:
    store.set("example.other", "k", 1)
    store.set_meta("m", "1")
    with FakeContext(BOARD) as board:
        for nobody in (store.for_plugin(board), store.for_plugin(board, signed_in("UPLOAD"))):
            with pytest.raises(Forbidden, match=permission):
                write(nobody)
        assert store.get("example.other", "k") == 1
        assert store.get_meta("m") == "1"
        before = list(store.rows()), store.metas()
        write(store.for_plugin(board, signed_in(permission)))
        assert (list(store.rows()), store.metas()) != before


def test_a_plugin_writes_under_its_own_id(store: PluginDataStore) -> None:
    with FakeContext(BOARD) as board:
        own = store.for_plugin(board)
        own.set(BOARD, "k", 1)
        assert store.get(BOARD, "k") == 1
        assert own.get(BOARD, "k") == 1
        assert own.remove(BOARD, "k") is True
        own.set(BOARD, "k", 2)
        assert own.purge(BOARD) == 1


# Speed


@pytest.mark.one_engine  # plans are shown in its words
def test_readings_use_the_index(context: FakeContext, store: PluginDataStore) -> None:
    from builtin_plugins.plugin_data import rows

    parameters = rows.Address(BOARD, "k", "local", "").parameters()
    plan = context.db.query("EXPLAIN QUERY PLAN " + rows._READ, parameters)
    details = [row["detail"] for row in plan]
    assert any(text.startswith("SEARCH plugin_data") and "owner=?" in text for text in details)
    assert not any(text.startswith("SCAN") for text in details)
