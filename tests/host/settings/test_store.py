from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.db import Engine, HostDatabase
from host.errors import ConfigurationError
from host.settings import SettingsStore
from host.testing import open_engine
from plugin_sdk import Conflict, Invalid, NotFound, Problem, TooLarge

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "maxSounds": {"type": "integer", "default": 100, "minimum": 1},
        "volume": {"type": "number", "default": 0.5},
        "title": {"type": "string", "maxLength": 20},
        "loud": {"type": "boolean", "default": False},
        "folders": {"type": "array", "items": {"type": "string"}, "default": []},
        "nickname": {"type": ["string", "null"], "default": "x"},
        "apiKey": {"type": "string", "writeOnly": True},
        "salt": {"type": "string", "writeOnly": True, "default": "pepper"},
    },
}
DEFAULTS = {
    "maxSounds": 100,
    "volume": 0.5,
    "title": None,
    "loud": False,
    "folders": [],
    "nickname": "x",
    "apiKey": None,
    "salt": "pepper",
}
SHOWN = {**DEFAULTS, "salt": "********"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = open_engine(tmp_path, "normal")
    yield found
    found.close()


@pytest.fixture
def database(engine: Engine) -> HostDatabase:
    return engine.open("host")


@pytest.fixture
def store(database: HostDatabase) -> SettingsStore:
    found = SettingsStore(database, {})
    found.define("board", SCHEMA)
    return found


def pinned(database: HostDatabase, **values: Any) -> SettingsStore:
    found = SettingsStore(database, {"board": values})
    found.define("board", SCHEMA)
    return found


def refused(store: SettingsStore, values: Any, how: str = "replace") -> Invalid:
    before = dict(store.effective("board"))
    with pytest.raises(Invalid) as caught:
        getattr(store, how)("board", values)
    assert store.effective("board") == before
    return caught.value


# Reading


def test_every_property_has_its_default_or_none(store: SettingsStore) -> None:
    assert store.effective("board") == DEFAULTS
    assert store.shown("board") == SHOWN
    assert list(store.shown("board")) == list(SCHEMA["properties"])


def test_a_plugin_without_settings(store: SettingsStore) -> None:
    store.define("plain", None)
    assert store.effective("plain") == {}
    assert store.shown("plain") == {}
    assert store.replace("plain", {}) == {}
    with pytest.raises(Invalid, match="not known"):
        store.replace("plain", {"a": 1})


def test_an_unknown_plugin(store: SettingsStore) -> None:
    calls = (
        store.effective,
        store.shown,
        store.pinned_names,
        store.sources,
        store.schema,
        store.check,
        lambda name: store.replace(name, {}),
        lambda name: store.update(name, {}),
    )
    for call in calls:
        with pytest.raises(NotFound, match="nobody"):
            call("nobody")


def test_the_snapshot_is_the_same_object_until_something_changes(store: SettingsStore) -> None:
    one = store.effective("board")
    assert store.effective("board") is one
    with pytest.raises(TypeError):
        one["loud"] = True  # type: ignore[index]
    store.define("board", dict(SCHEMA))
    store.replace("board", {})
    assert store.effective("board") is one
    store.update("board", {"loud": True})
    assert (one["loud"], store.effective("board")["loud"]) == (False, True)


def test_nothing_is_written_by_making_a_store(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "data", "normal")
    SettingsStore(engine.open("host"), {}).define("board", SCHEMA)
    engine.close()
    assert not (tmp_path / "data").exists()


# Writing


def test_replace_puts_absent_keys_back(store: SettingsStore) -> None:
    shown = store.replace("board", {"maxSounds": 3, "title": "My board", "apiKey": "k"})
    assert shown == {**SHOWN, "maxSounds": 3, "title": "My board", "apiKey": "********"}
    assert store.replace("board", {"maxSounds": 4}) == {**SHOWN, "maxSounds": 4}
    assert store.replace("board", {}) == SHOWN


def test_update_leaves_the_others(store: SettingsStore) -> None:
    store.update("board", {"maxSounds": 3, "title": "a"})
    shown = store.update("board", {"maxSounds": None, "loud": True})
    assert shown == {**SHOWN, "title": "a", "loud": True}
    assert store.update("board", {"nickname": None})["nickname"] == "x"


def test_what_is_shown_can_be_sent_back(store: SettingsStore) -> None:
    store.update("board", {"apiKey": "k", "title": "t"})
    before = dict(store.effective("board"))
    for _ in range(2):
        store.replace("board", store.shown("board"))
        assert store.effective("board") == before
    store.replace("board", {})
    store.replace("board", store.shown("board"))
    assert store.effective("board") == DEFAULTS


def test_null(store: SettingsStore) -> None:
    assert store.replace("board", {"nickname": None})["nickname"] is None  # a value of its schema
    assert store.replace("board", {"title": None})["title"] is None  # as shown without a value
    assert refused(store, {"maxSounds": None}).details == (
        Problem("maxSounds", "must be an integer"),
    )


def test_it_survives_a_restart(tmp_path: Path) -> None:
    for expected in (100, 7):
        engine = open_engine(tmp_path, "normal")
        store = SettingsStore(engine.open("host"), {})
        store.define("board", SCHEMA)
        assert store.effective("board")["maxSounds"] == expected
        store.update("board", {"maxSounds": 7, "folders": ["ä"]})
        engine.close()


@pytest.mark.parametrize("how", ["replace", "update"])
def test_all_problems_are_named_and_nothing_is_stored(store: SettingsStore, how: str) -> None:
    error = refused(
        store,
        {"maxSounds": 0, "title": "fine", "loud": "yes", "folders": ["a", 1], "maxSound": 1},
        how,
    )
    assert error.code == "INVALID_REQUEST"
    assert {(problem.path, problem.message) for problem in error.details} == {
        ("maxSounds", "must be at least 1"),
        ("loud", "must be true or false"),
        ("folders.1", "must be a text"),
        ("maxSound", '"maxSound" is not known here; did you mean "maxSounds"?'),
    }


@pytest.mark.parametrize("value", [1.0, True, False, "1", None, 10**400, [], {}])
def test_what_is_no_integer(store: SettingsStore, value: Any) -> None:
    if value == 10**400:  # an integer, but no number that JSON carries everywhere
        with pytest.raises(Invalid, match="out of range"):
            store.replace("board", {"maxSounds": value})
        return
    assert refused(store, {"maxSounds": value}).details[0].path == "maxSounds"


@pytest.mark.parametrize("value", [True, "1", float("nan"), float("inf")])
def test_what_is_no_number(store: SettingsStore, value: Any) -> None:
    refused(store, {"volume": value})


def test_a_message_ends_with_the_suggestion(store: SettingsStore) -> None:
    assert refused(store, {"lould": True}).message.endswith('did you mean "loud"?')
    assert refused(store, {"lould": True}, "update").message.endswith('did you mean "loud"?')
    assert refused(store, {"lould": None}, "update").message.endswith('did you mean "loud"?')


def test_a_secret_never_stands_in_a_refusal(store: SettingsStore) -> None:
    error = refused(store, {"apiKey": ["hush-hush"]})
    assert "hush" not in str(error)
    assert "hush" not in str(error.details)


@pytest.mark.parametrize("values", [None, [], "x", 3, {"title": "\ud800"}, {"title": "a\0"}])
def test_what_is_no_document(store: SettingsStore, values: Any) -> None:
    refused(store, values)
    refused(store, values, "update")


def test_deep_values_are_refused(database: HostDatabase) -> None:
    store = SettingsStore(database, {})
    store.define("board", {"type": "object", "properties": {"deep": {}}})
    value: Any = 1
    for _ in range(40):
        value = [value]
    refused(store, {"deep": value})


def test_required_properties(database: HostDatabase) -> None:
    store = SettingsStore(database, {})
    schema = {
        "type": "object",
        "required": ["url", "level"],
        "properties": {
            "url": {"type": "string"},
            "name": {"type": "string"},
            "level": {"type": "integer", "default": 1},
        },
    }
    store.define("board", schema)
    assert store.effective("board") == {"url": None, "name": None, "level": 1}
    assert refused(store, {"name": "x"}).details == (Problem("url", "is missing"),)
    assert refused(store, {"url": None}).details == (Problem("url", "is missing"),)
    store.update("board", {"name": "x"})  # one after the other
    store.update("board", {"url": "u"})
    assert refused(store, {"url": None}, "update").details == (Problem("url", "is missing"),)
    store.update("board", {"level": None})
    assert store.replace("board", {"url": "v"}) == {"url": "v", "name": None, "level": 1}


def test_further_properties_only_if_the_schema_says_so(database: HostDatabase) -> None:
    store = SettingsStore(database, {})
    schema = {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}
    store.define("board", schema)
    assert store.replace("board", {"a": "b"}) == {"a": "b"}
    refused(store, {"a": 1})
    assert store.update("board", {"a": None}) == {}


def test_conditions_between_properties(database: HostDatabase) -> None:
    store = SettingsStore(database, {})
    schema = {
        "type": "object",
        "properties": {"user": {"type": "string"}, "password": {"type": "string"}},
        "dependentRequired": {"user": ["password"]},
    }
    store.define("board", schema)
    refused(store, {"user": "u"})
    store.replace("board", {"user": "u", "password": "p"})
    refused(store, {"password": None}, "update")


# Secrets


def test_a_secret_is_masked_and_kept(store: SettingsStore) -> None:
    store.update("board", {"apiKey": "k"})
    assert store.shown("board")["apiKey"] == "********"
    assert store.effective("board")["apiKey"] == "k"
    store.replace("board", {"apiKey": "********", "loud": True})
    assert store.effective("board")["apiKey"] == "k"
    store.update("board", {"apiKey": "********"})
    assert store.effective("board")["apiKey"] == "k"
    store.update("board", {"apiKey": ""})
    assert store.shown("board")["apiKey"] is None
    store.replace("board", {"apiKey": "new"})
    store.replace("board", {})
    assert store.effective("board")["apiKey"] is None


def test_a_mask_where_nothing_is_stored_stores_nothing(store: SettingsStore) -> None:
    store.replace("board", {"apiKey": "********", "salt": "********"})
    assert store.effective("board") == DEFAULTS


def test_what_is_no_secret_may_look_like_a_mask(store: SettingsStore) -> None:
    assert store.replace("board", {"title": "********"})["title"] == "********"
    assert store.effective("board")["title"] == "********"


# Pinned


def test_the_file_beats_what_was_stored(database: HostDatabase, store: SettingsStore) -> None:
    store.update("board", {"maxSounds": 7})
    other = pinned(database, maxSounds=9)
    assert other.effective("board")["maxSounds"] == 9
    assert other.pinned_names("board") == {"maxSounds"}
    assert store.pinned_names("board") == frozenset()


@pytest.mark.parametrize("how", ["replace", "update"])
def test_another_value_than_the_pinned_one_is_a_conflict(database: HostDatabase, how: str) -> None:
    store = pinned(database, maxSounds=9, apiKey="k")
    for value in ({"maxSounds": 8}, {"apiKey": "other"}):
        with pytest.raises(Conflict, match=r"stagebox\.toml") as caught:
            getattr(store, how)("board", {**value, "loud": True})
        assert caught.value.code == "CONFLICT"
    assert store.effective("board")["loud"] is False
    refused(store, {"maxSounds": "8"}, how)  # 400 goes before 409
    if how == "update":
        with pytest.raises(Conflict):
            store.update("board", {"maxSounds": None})
    getattr(store, how)("board", {"maxSounds": 9, "apiKey": "k"})
    getattr(store, how)("board", {"apiKey": "********", "loud": True})
    assert store.effective("board")["loud"] is True
    assert store.effective("board")["apiKey"] == "k"


def test_pinned_values_survive_being_sent_back(database: HostDatabase) -> None:
    store = pinned(database, volume=1.0, apiKey="k", folders=["a"])
    shown = store.shown("board")
    assert shown["apiKey"] == "********"
    store.replace("board", {**shown, "volume": 1})  # as JavaScript writes 1.0
    with pytest.raises(Conflict):
        store.replace("board", {**shown, "folders": ["b"]})


def test_true_is_not_one(database: HostDatabase) -> None:
    schema = {"type": "object", "properties": {"any": {}}}
    store = SettingsStore(database, {"board": {"any": {"deep": [1]}}})
    store.define("board", schema)
    store.replace("board", {"any": {"deep": [1.0]}})
    for other in ({"deep": [True]}, {"deep": [1, 1]}, {"deep": [1], "more": 1}):
        with pytest.raises(Conflict):
            store.replace("board", {"any": other})


def test_a_stored_value_waits_behind_the_pin(database: HostDatabase, store: SettingsStore) -> None:
    store.update("board", {"maxSounds": 7, "loud": True})
    pinned(database, maxSounds=9).replace("board", {})
    store.reload()
    assert store.effective("board")["maxSounds"] == 7
    assert store.effective("board")["loud"] is False


def test_pins_that_do_not_fit_are_told_and_not_in_force(
    database: HostDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    store = pinned(database, maxSounds="many", lould=True, title="t")
    assert store.effective("board") == {**DEFAULTS, "title": "t"}
    assert store.pinned_names("board") == {"title"}
    assert caplog.text.count("not in force") == 2
    with pytest.raises(ConfigurationError) as caught:
        store.check("board")
    assert "[plugins.board]" in caught.value.message
    assert "maxSounds: must be an integer" in caught.value.message
    assert 'did you mean "loud"?' in caught.value.message
    pinned(database, title="t").check("board")


def test_an_id_with_a_dot_may_stand_without_quotes(database: HostDatabase) -> None:
    tables = {"example": {"board": {"loud": True}}, "example.other": {"loud": True}}
    store = SettingsStore(database, tables)
    for plugin_id in ("example.board", "example.other", "example.third", "other.board"):
        store.define(plugin_id, SCHEMA)
    assert store.effective("example.board")["loud"] is True
    assert store.effective("example.other")["loud"] is True
    assert store.effective("example.third")["loud"] is False
    assert store.effective("other.board")["loud"] is False


# Another schema


def test_what_no_longer_fits_is_kept_but_not_in_force(
    store: SettingsStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.update("board", {"maxSounds": 50, "title": "t", "apiKey": "hush-hush"})
    changed = {
        "type": "object",
        "properties": {
            "maxSounds": {"type": "integer", "default": 10, "maximum": 20},
            "apiKey": {"type": "integer", "writeOnly": True},
            "loud": {"type": "boolean", "default": True},
        },
    }
    store.define("board", changed)
    assert store.effective("board") == {"maxSounds": 10, "apiKey": None, "loud": True}
    assert "maxSounds must be at most 20" in caplog.text
    assert "hush" not in caplog.text
    assert "50" not in caplog.text
    assert store.update("board", {"loud": False})["loud"] is False
    store.define("board", SCHEMA)
    assert store.effective("board")["maxSounds"] == 50
    assert store.effective("board")["title"] == "t"


def test_what_is_known_no_more_can_be_removed(store: SettingsStore) -> None:
    store.update("board", {"title": "t"})
    store.define("board", {"type": "object", "properties": {"loud": {"type": "boolean"}}})
    refused(store, {"title": "u"}, "update")
    store.update("board", {"title": None})
    store.define("board", SCHEMA)
    assert store.effective("board")["title"] is None


# Telling


def test_who_wants_to_know_is_told_what_changed(store: SettingsStore) -> None:
    told: list[tuple[str, frozenset[str]]] = []
    store.on_change(lambda plugin_id, names: told.append((plugin_id, names)))
    store.replace("board", {"maxSounds": 3, "title": "t"})
    store.replace("board", {"maxSounds": 3, "title": "t"})
    store.update("board", {"loud": True, "title": None, "maxSounds": 3})
    store.update("board", {"loud": False})
    store.update("board", {"loud": None})  # stored no more, but the same
    with pytest.raises(Invalid):
        store.update("board", {"loud": 1})
    assert told == [
        ("board", frozenset({"maxSounds", "title"})),
        ("board", frozenset({"loud", "title"})),
        ("board", frozenset({"loud"})),
    ]


def test_where_values_come_from(database: HostDatabase) -> None:
    store = pinned(database, maxSounds=9, nonsense=1)
    store.update("board", {"loud": True, "maxSounds": 9})
    sources = store.sources("board")
    assert list(sources) == list(store.effective("board"))
    assert {name: each for name, each in sources.items() if each != "default"} == {
        "maxSounds": "file",
        "loud": "stored",
    }


def test_a_pinned_value_does_not_change(database: HostDatabase) -> None:
    store = pinned(database, maxSounds=9)
    told: list[frozenset[str]] = []
    store.on_change(lambda plugin_id, names: told.append(names))
    store.update("board", {"maxSounds": 9, "loud": True})
    assert told == [frozenset({"loud"})]


def test_new_values_are_in_force_when_it_is_told(store: SettingsStore) -> None:
    seen: list[Any] = []
    store.on_change(lambda plugin_id, names: seen.append(store.effective("board")["loud"]))
    view = store.for_plugin("board")
    view.on_change(lambda names: seen.append(view["loud"]))
    store.update("board", {"loud": True})
    assert seen == [True, True]


@pytest.mark.parametrize("error", [RuntimeError("x"), SystemExit(1)])
def test_a_callback_that_raises_harms_nobody(
    store: SettingsStore, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    told: list[frozenset[str]] = []

    def broken(names: frozenset[str]) -> None:
        raise error

    store.for_plugin("board").on_change(broken)
    store.for_plugin("board").on_change(told.append)
    assert store.update("board", {"loud": True})["loud"] is True
    assert told == [{"loud"}]
    assert "Plugin board's callback" in caplog.text


def test_nobody_is_told_of_what_is_rolled_back(
    store: SettingsStore, database: HostDatabase
) -> None:
    told: list[Any] = []
    store.on_change(lambda *args: told.append(args))

    def fail() -> None:
        with database.transaction():
            assert store.update("board", {"loud": True})["loud"] is True
            assert store.shown("board")["loud"] is True
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert store.effective("board")["loud"] is False
    assert told == []


def test_what_is_noted_with_a_change_shares_its_fate(
    store: SettingsStore, database: HostDatabase
) -> None:
    noted: list[Any] = []

    def note(plugin_id: str, names: frozenset[str]) -> None:
        assert database.in_transaction
        noted.append((plugin_id, names))
        if "title" in names:
            raise TooLarge("The outbox is full.")

    store.on_store(note)
    store.update("board", {"loud": True, "maxSounds": 100})
    assert noted == [("board", {"loud", "maxSounds"})]
    with pytest.raises(TooLarge):
        store.update("board", {"title": "t"})
    assert store.effective("board")["title"] is None
    store.reload()
    store.forget("board")
    assert noted[2:] == [("board", {"loud", "maxSounds"})]


# Several at once


def test_changes_of_different_keys_at_once_both_take_effect(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {f"k{n}": {"type": "integer", "default": -1} for n in range(4)},
    }
    engines = [open_engine(tmp_path, "normal") for _ in range(2)]
    stores = [SettingsStore(engine.open("host"), {}) for engine in engines]
    for store in stores:
        store.define("board", schema)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for value in range(10):
                stores[number % 2].update("board", {f"k{number}": value})
                assert stores[number % 2].effective("board")[f"k{number}"] == value
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for store in stores:
        store.reload()
        assert store.effective("board") == {"k0": 9, "k1": 9, "k2": 9, "k3": 9}
    for engine in engines:
        engine.close()


def test_another_process_is_followed(store: SettingsStore, tmp_path: Path) -> None:
    engine = open_engine(tmp_path, "normal")
    other = SettingsStore(engine.open("host"), {})
    other.define("board", SCHEMA)
    other.define("third", SCHEMA)
    told: list[Any] = []
    store.on_change(lambda *args: told.append(args))
    assert store.effective("board")["loud"] is False
    other.update("board", {"loud": True})
    other.update("third", {"loud": True})
    store.reload()
    store.reload()
    assert store.effective("board")["loud"] is True
    assert told == [("board", {"loud"})]
    store.define("third", SCHEMA)
    assert store.effective("third")["loud"] is True
    other.forget("board")
    store.reload()
    assert store.effective("board") == DEFAULTS
    assert told[1:] == [("board", {"loud"})]
    engine.close()


def test_several_plugins_are_replaced_all_or_none(store: SettingsStore) -> None:
    store.define("other", SCHEMA)
    with pytest.raises(Invalid):
        store.replace_all({"board": {"loud": True}, "other": {"loud": 1}})
    assert store.effective("board")["loud"] is False
    shown = store.replace_all({"board": {"loud": True}, "other": {"title": "t"}})
    assert shown == {"board": {**SHOWN, "loud": True}, "other": {**SHOWN, "title": "t"}}


def test_forgetting(store: SettingsStore) -> None:
    store.define("other", SCHEMA)
    store.update("board", {"loud": True})
    store.update("other", {"loud": True})
    store.forget("board")
    store.forget("board")
    store.forget("nobody")
    assert store.effective("board")["loud"] is False
    assert store.effective("other")["loud"] is True


# context.settings


def test_the_view_of_a_plugin(store: SettingsStore) -> None:
    view = store.for_plugin("board")
    assert view["maxSounds"] == 100
    assert list(view) == list(DEFAULTS)
    assert len(view) == len(DEFAULTS)
    assert "loud" in view
    assert "lould" not in view
    assert view.as_dict() == DEFAULTS
    assert view.get("title", "none") == "none"
    assert view.get("lould", 3) == 3
    assert view.get("loud", True) is False
    view.update({"title": "t"})
    assert view["title"] == "t"
    with pytest.raises(Invalid):
        view.update({"title": 1})
    with pytest.raises(KeyError, match='no setting "lould"; did you mean "loud"'):
        view["lould"]


def test_a_plugin_gets_copies(store: SettingsStore) -> None:
    view = store.for_plugin("board")
    for found in (view["folders"], view.get("folders"), view.as_dict()["folders"]):
        found.append("mine")
    assert view["folders"] == []
    given = ["a"]
    view.update({"folders": given})
    given.append("b")
    assert view["folders"] == ["a"]
    assert store.shown("board")["folders"] is not store.effective("board")["folders"]


def test_a_view_that_is_closed_is_called_back_no_more(store: SettingsStore) -> None:
    view, other = store.for_plugin("board"), store.for_plugin("board")
    told: list[str] = []
    view.on_change(lambda names: told.append("view"))
    other.on_change(lambda names: told.append("other"))
    store.define("third", SCHEMA)
    store.update("third", {"loud": True})
    assert told == []
    store.update("board", {"loud": True})
    view.close()
    view.on_change(lambda names: told.append("late"))
    store.update("board", {"loud": False})
    assert told == ["view", "other", "other"]
    assert view["loud"] is False  # reading goes on: a request may still be inside


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "********", "t", "x" * 30]),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
_documents = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "loude"]), _values, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(changes=st.lists(st.tuples(st.booleans(), _documents), max_size=4))
def test_what_is_in_force_always_fits_and_can_be_sent_back(
    store: SettingsStore, changes: list[tuple[bool, dict[str, Any]]]
) -> None:
    for replace, document in changes:
        before = dict(store.effective("board"))
        try:
            (store.replace if replace else store.update)("board", document)
        except Invalid:
            assert store.effective("board") == before
    effective = dict(store.effective("board"))
    assert effective.keys() == DEFAULTS.keys()
    assert type(effective["maxSounds"]) is int
    assert effective["maxSounds"] >= 1
    assert type(effective["loud"]) is bool
    assert all(isinstance(each, str) for each in effective["folders"])
    store.replace("board", store.shown("board"))
    if effective["apiKey"] == "":
        effective["apiKey"] = None  # an empty secret is shown as one that is not set
    if effective["salt"] == "":
        effective["salt"] = "pepper"
    assert store.effective("board") == effective


def test_the_log_may_be_given(database: HostDatabase, caplog: pytest.LogCaptureFixture) -> None:
    store = SettingsStore(database, {"board": {"loud": 1}}, log=logging.getLogger("mine"))
    store.define("board", SCHEMA)
    store.effective("board")
    assert [record.name for record in caplog.records] == ["mine"]
