"""What is read, written, and kept secret."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.db import HostDatabase
from host.settings import SettingsStore
from host.testing import open_engine
from plugin_sdk import Invalid, NotFound, Problem

from .conftest import DEFAULTS, SCHEMA, SHOWN, refused

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


@settings(max_examples=150)
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
