"""`context.settings`."""

from __future__ import annotations

import pytest

from host.settings import SettingsStore
from plugin_sdk import Invalid

from .conftest import DEFAULTS, SCHEMA


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
