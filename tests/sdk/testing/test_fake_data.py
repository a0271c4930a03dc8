"""Keys and values in memory behave like those of a host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_sdk import Data, Invalid, TooLarge
from plugin_sdk.testing import FakeContext, FakeData


@pytest.fixture
def data() -> Iterator[FakeData]:
    with FakeContext() as context:
        yield context.data


def test_values_are_fresh_copies(data: FakeData) -> None:
    value = {"list": [1, {"a": None}]}
    data.set("a", value)
    value["list"].append(2)
    first = data.get("a")
    first["list"].clear()
    assert data.get("a") == {"list": [1, {"a": None}]}


def test_a_missing_key_and_a_stored_none_are_two_things(data: FakeData) -> None:
    data.set("none", None)
    assert data.get("none", "default") is None
    assert data.get("missing", "default") == "default"
    assert data.get("missing") is None


def test_scopes_do_not_meet(data: FakeData) -> None:
    data.set("a", "local")
    data.scope("server", "room-1").set("a", "room 1")
    data.scope("server", "room-2").set("a", "room 2")
    data.scope("profile", 1).set("a", "profile")
    assert data.scope("local").get("a") == "local"
    assert data.scope("server", "room-1").get("a") == "room 1"
    assert data.scope("profile", "1").get("a") == "profile"
    assert data.scope("server", "room-2").clear() == 1
    assert data.scope("server", "room-2").keys() == []
    assert data.scope("server", "room-1").keys() == ["a"]


def test_a_scope_needs_its_id(data: FakeData) -> None:
    for kind in ("server", "profile"):
        with pytest.raises(Invalid, match=kind):
            data.scope(kind)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="galaxy"):
        data.scope("galaxy", "1")  # type: ignore[arg-type]


def test_keys_are_in_the_order_of_code_points(data: FakeData) -> None:
    for key in ("b", "a", "\U00010000", "\ufffd", "é", "B", "a/b"):
        data.set(key, key)
    assert data.keys() == ["B", "a", "a/b", "b", "é", "\ufffd", "\U00010000"]
    assert data.keys("a") == ["a", "a/b"]
    assert list(data.items("a")) == [("a", "a"), ("a/b", "a/b")]


def test_deleting_and_clearing(data: FakeData) -> None:
    data.set("a", 1)
    data.set("b", 2)
    assert data.delete("a") is True
    assert data.delete("a") is False
    assert data.clear() == 1
    assert data.clear() == 0


@pytest.mark.parametrize("key", ["", "a" * 256, "a\nb", "a\0", "\x7f", "\ud800"])
def test_keys_that_are_none(data: FakeData, key: str) -> None:
    for use in (lambda: data.get(key), lambda: data.set(key, 1), lambda: data.delete(key)):
        with pytest.raises(Invalid):
            use()


@pytest.mark.parametrize("value", [float("nan"), object(), {1: 2}, "\ud800", b""])
def test_values_that_are_no_json(data: FakeData, value: Any) -> None:
    data.set("a", "old")
    with pytest.raises(Invalid):
        data.set("a", value)
    assert data.get("a") == "old"


def test_values_that_are_too_large(data: FakeData) -> None:
    data.set("a", "é" * (2 * 1024 * 1024 - 1))
    with pytest.raises(TooLarge):
        data.set("a", "é" * (2 * 1024 * 1024))


def test_a_transaction_is_all_or_nothing(data: FakeData) -> None:
    data.set("a", 1)

    def change() -> None:
        with data.transaction():
            data.set("a", 2)
            data.set("b", 3)
            data.scope("server", "x").set("c", 4)
            assert (data.get("a"), data.keys()) == (2, ["a", "b"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    assert (data.get("a"), data.keys()) == (1, ["a"])
    assert data.scope("server", "x").keys() == []


def test_an_inner_transaction_is_undone_alone(data: FakeData) -> None:
    with data.transaction():
        data.set("a", 1)
        with suppress(ZeroDivisionError), data.transaction():
            data.set("a", 2)
            data.delete("a")
            raise ZeroDivisionError
        assert data.get("a") == 1
        with data.transaction():
            data.set("b", 2)
    assert dict(data.items()) == {"a": 1, "b": 2}


def test_an_outer_transaction_undoes_the_inner_one(data: FakeData) -> None:
    with suppress(ZeroDivisionError), data.transaction():
        with data.transaction():
            data.set("a", 1)
        raise ZeroDivisionError
    assert data.keys() == []


def test_others_read_what_is_committed_and_do_not_wait(data: FakeData) -> None:
    data.set("a", "old")
    seen: list[Any] = []
    with data.transaction():
        data.set("a", "new")
        reader = threading.Thread(target=lambda: seen.append(data.get("a")))
        reader.start()
        reader.join(60)
        assert seen == ["old"]
    assert data.get("a") == "new"


def test_no_update_is_lost(data: FakeData) -> None:
    data.set("count", 0)

    def count() -> None:
        for _ in range(50):
            with data.transaction():
                data.set("count", data.get("count") + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert data.get("count") == 200


_KEYS = st.sampled_from("abc")
_STEPS = st.recursive(
    st.tuples(st.just("set"), _KEYS, st.integers(0, 9)) | st.tuples(st.just("delete"), _KEYS),
    lambda inner: st.tuples(st.sampled_from(["commit", "rollback"]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


class _Undo(Exception):
    pass


def _play(data: Data, step: tuple[Any, ...], model: dict[str, int]) -> None:
    """Does a step with the data and with a dictionary."""
    if step[0] == "set":
        data.set(step[1], step[2])
        model[step[1]] = step[2]
    elif step[0] == "delete":
        assert data.delete(step[1]) is (model.pop(step[1], None) is not None)
    else:
        inner = dict(model)
        with suppress(_Undo), data.transaction():
            for each in step[1]:
                _play(data, each, inner)
            if step[0] == "rollback":
                raise _Undo
            model.clear()
            model.update(inner)
    assert dict(data.items()) == model


@given(st.lists(_STEPS, max_size=6))
def test_nested_transactions_behave_like_copies_of_a_dictionary(steps: list[Any]) -> None:
    context = FakeContext()
    model: dict[str, int] = {}
    for step in steps:
        _play(context.data, step, model)
