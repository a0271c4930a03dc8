# ruff: noqa: PT012 (what a block does before it raises is what is tested)
from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.db import Engine, HostDatabase, KeyValueData, read_value
from host.testing import open_engine
from plugin_sdk import MAX_VALUE_BYTES, Invalid, TooLarge


@pytest.fixture
def data(database: HostDatabase) -> KeyValueData:
    return KeyValueData(database)


def test_what_is_set_is_got(data: KeyValueData) -> None:
    data.set("favorites", [1, {"a": None}])
    assert data.get("favorites") == [1, {"a": None}]
    data.set("favorites", "other")
    assert data.get("favorites") == "other"
    assert data.keys() == ["favorites"]


def test_what_is_missing_is_the_default(data: KeyValueData) -> None:
    assert data.get("missing") is None
    assert data.get("missing", 5) == 5
    data.set("other", 1)
    assert data.get("missing") is None
    data.set("none", None)
    assert data.get("none", 5) is None


def test_each_get_is_a_fresh_copy(data: KeyValueData) -> None:
    data.set("list", [1])
    data.get("list").append(2)
    assert data.get("list") == [1]


def test_scopes_are_apart(data: KeyValueData) -> None:
    scopes = [
        data,
        data.scope("server", "1"),
        data.scope("server", "2"),
        data.scope("profile", 1),
        data.scope("server", "a'b \U0001f600"),
    ]
    for number, scope in enumerate(scopes):
        scope.set("key", number)
    assert [scope.get("key") for scope in scopes] == [0, 1, 2, 3, 4]
    assert data.scope("local").get("key") == 0
    assert data.scope("profile", "1").get("key") == 3
    assert data.scope("server", "1").clear() == 1
    assert [scope.get("key") for scope in scopes] == [0, None, 2, 3, 4]


def test_scopes_that_are_none_are_refused(data: KeyValueData) -> None:
    bad: Any = "global"
    for call in (
        lambda: data.scope("server"),
        lambda: data.scope("profile", ""),
        lambda: data.scope("local", "x"),
        lambda: data.scope(bad, "x"),
        lambda: data.scope("server", "a\0b"),
        lambda: data.scope("server", "x" * 256),
        lambda: data.scope("server", "\ud800"),
    ):
        with pytest.raises(Invalid):
            call()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0", "a\nb", "\x7f", "\x85", "\ud800"])
def test_keys_that_are_none_are_refused(data: KeyValueData, key: str) -> None:
    for call in (lambda: data.get(key), lambda: data.set(key, 1), lambda: data.delete(key)):
        with pytest.raises(Invalid):
            call()


@pytest.mark.parametrize(
    "key", ["x", "x" * 255, " ", "é", "\U0001f600", "'", '"', "%", "a/b", "\ufeff"]
)
def test_odd_keys(data: KeyValueData, key: str) -> None:
    data.set(key, key)
    assert data.get(key) == key
    assert data.keys() == [key]
    assert data.delete(key)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), object(), {1: 2}, b"x", {"a": {1}}, "\0", ["\ud800"], [10**5000]],
)
def test_what_is_no_json_is_refused(data: KeyValueData, value: object) -> None:
    data.set("key", "before")
    with pytest.raises(Invalid):
        data.set("key", value)
    assert data.get("key") == "before"


def test_values_have_a_largest_size(data: KeyValueData) -> None:
    data.set("ascii", "x" * (MAX_VALUE_BYTES - 2))
    data.set("wide", "\U0001f600" * ((MAX_VALUE_BYTES - 2) // 4))
    with pytest.raises(TooLarge):
        data.set("ascii", "x" * (MAX_VALUE_BYTES - 1))
    with pytest.raises(TooLarge):
        data.set("wide", "\U0001f600" * (MAX_VALUE_BYTES // 4))
    assert len(data.get("ascii")) == MAX_VALUE_BYTES - 2


def test_delete_and_clear_tell_what_there_was(data: KeyValueData) -> None:
    assert not data.delete("a")
    assert data.clear() == 0
    for key in "abc":
        data.set(key, 1)
    assert data.delete("a")
    assert not data.delete("a")
    assert data.clear() == 2
    assert data.clear() == 0


def test_clear_all(data: KeyValueData) -> None:
    assert data.clear_all() == 0
    data.set("a", 1)
    data.scope("server", "1").set("a", 1)
    data.scope("profile", 2).set("a", 1)
    assert data.clear_all() == 3
    assert data.clear_all() == 0
    assert data.get("a") is None


def test_keys_and_items_by_prefix(data: KeyValueData) -> None:
    names = ["a", "a%", "aa", "ab", "a\U0001f600", "a\ufffd", "b", "A", "a_", "\ud7ff", "\ue000"]
    names += ["\U0010ffff", "\U0010ffff\U0010ffff", "\U0010fffe"]
    for name in names:
        data.set(name, [name])
    for prefix in ["", "a", "a%", "a_", "b", "z", "\ud7ff", "\U0010ffff", "\U0010fffe", "'", "aaa"]:
        expected = sorted(name for name in names if name.startswith(prefix))
        assert data.keys(prefix) == expected
        assert list(data.items(prefix)) == [(name, [name]) for name in expected]


def test_items_can_be_changed_while_they_are_read(data: KeyValueData) -> None:
    for number in range(500):
        data.set(f"k{number:03}", number)
    for key, value in data.items():
        data.set(key, -value)
        data.set(key + "x", 0)
    assert data.get("k499") == -499
    with data.transaction():
        assert sum(1 for key, _ in data.items() if data.delete(key)) == 1000
    assert list(data.items()) == []


def test_an_update_in_a_transaction_is_not_lost(data: KeyValueData) -> None:
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(30)
        for _ in range(25):
            with data.transaction():
                data.set("count", data.get("count", 0) + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert data.get("count") == 100


def test_its_transaction_is_that_of_the_database(
    data: KeyValueData, database: HostDatabase
) -> None:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    with pytest.raises(LookupError), data.transaction():
        data.set("key", 1)
        database.table("notes").insert({"text": "a"})
        assert database.in_transaction
        raise LookupError
    assert data.get("key") is None
    assert database.table("notes").count_where() == 0
    with data.transaction(), database.transaction():
        data.set("key", 2)
    assert data.get("key") == 2


def test_reading_makes_nothing(engine: Engine, tmp_path: Path) -> None:
    data = KeyValueData(engine.open("example.plugin"))
    assert data.get("a") is None
    assert data.keys() == []
    assert list(data.items()) == []
    assert not data.delete("a")
    assert data.clear() == 0
    assert data.clear_all() == 0
    assert read_value(engine.open("example.plugin"), "local", "", "a") is None
    assert list(tmp_path.iterdir()) == []


def test_reading_works_beside_tables_of_the_plugin(database: HostDatabase) -> None:
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id")
    data = KeyValueData(database)
    assert data.get("a") is None
    with database.transaction():
        assert data.get("a") is None
        data.set("a", 1)
        assert data.get("a") == 1
    assert database.tables() == ["notes"]


def test_the_table_is_made_again_after_a_rollback(database: HostDatabase) -> None:
    data = KeyValueData(database)
    with pytest.raises(LookupError), data.transaction():
        data.set("a", 1)
        raise LookupError
    assert data.get("a") is None
    data.set("a", 2)
    assert data.get("a") == 2


def test_the_stored_text_can_be_read(data: KeyValueData, database: HostDatabase) -> None:
    data.set("a", {"b": [1.0, "é"]})
    data.scope("server", "7").set("a", None)
    assert read_value(database, "local", "", "a") == '{"b":[1.0,"é"]}'
    assert read_value(database, "server", "7", "a") == "null"
    assert read_value(database, "server", "8", "a") is None
    for scope_id, key in (("7", ""), ("7", "a\0"), ("\0", "a"), ("x" * 300, "a"), ("", "\ud800")):
        assert read_value(database, "server", scope_id, key) is None


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=255)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _FINITE | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostDatabase]:
    """One database for all examples of a property."""
    engine = open_engine(tmp_path_factory.mktemp("data"), "normal")
    yield engine.open("example.plugin")
    engine.close()


@settings(max_examples=150, deadline=None)
@given(key=_KEYS, value=_JSON)
def test_any_json_value_comes_back_under_any_key(
    shared: HostDatabase, key: str, value: object
) -> None:
    data = KeyValueData(shared).scope("server", "any")
    data.set(key, value)
    assert json.dumps(data.get(key)) == json.dumps(value)
    assert key in data.keys(key[:1])


@settings(max_examples=60, deadline=None)
@given(keys=st.sets(_KEYS, max_size=12), prefix=_KEYS | st.just(""))
def test_prefixes_find_what_begins_with_them(
    shared: HostDatabase, keys: set[str], prefix: str
) -> None:
    data = KeyValueData(shared).scope("server", "prefixes")
    with data.transaction():
        data.clear()
        for key in keys:
            data.set(key, 1)
    for start in {prefix, *(key[:2] for key in keys)}:
        assert data.keys(start) == sorted(key for key in keys if key.startswith(start))
