"""Who is told of changes, and changes at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from host.db import HostDatabase
from host.settings import SettingsStore
from host.testing import open_engine
from plugin_sdk import Invalid, Problem, TooLarge

from .conftest import DEFAULTS, SCHEMA, SHOWN, pinned

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
    engine = open_engine(tmp_path / "data", "normal")
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


def test_problems_are_told_without_storing(store: SettingsStore) -> None:
    for partial in (False, True):
        found = store.problems("board", {"loud": 1, "lod": True}, partial=partial)
        assert len(found) == 2, found
        assert found == store.problems("board", {"loud": 1, "lod": True}, partial=partial)
        assert store.problems("board", {"loud": True}, partial=partial) == []
    assert store.problems("board", [], partial=True) == [Problem("", "Settings are an object.")]
    assert store.effective("board") == DEFAULTS


def test_forgetting(store: SettingsStore) -> None:
    store.define("other", SCHEMA)
    store.update("board", {"loud": True})
    store.update("other", {"loud": True})
    store.forget("board")
    store.forget("board")
    store.forget("nobody")
    assert store.effective("board")["loud"] is False
    assert store.effective("other")["loud"] is True
