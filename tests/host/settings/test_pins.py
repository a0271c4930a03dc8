"""What the operator's file says, and what another schema does."""

from __future__ import annotations

import pytest

from host.db import HostDatabase
from host.errors import ConfigurationError
from host.settings import SettingsStore
from plugin_sdk import Conflict

from .conftest import DEFAULTS, SCHEMA, pinned, refused

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
