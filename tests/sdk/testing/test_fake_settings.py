"""Settings in memory."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk import Conflict, Invalid
from plugin_sdk.testing import FakeSettings

SCHEMA = {
    "type": "object",
    "properties": {
        "maxSounds": {"type": "integer", "default": 100},
        "names": {"type": "array", "default": ["a"]},
        "key": {"type": "string"},
    },
}


def test_values_stand_over_defaults() -> None:
    settings = FakeSettings({"maxSounds": 2}, SCHEMA)
    assert settings["maxSounds"] == 2
    assert settings.as_dict() == {"maxSounds": 2, "names": ["a"], "key": None}
    assert list(settings) == ["maxSounds", "names", "key"]
    assert len(settings) == 3
    assert "key" in settings
    assert "other" not in settings


def test_a_property_without_value_and_default_is_none() -> None:
    settings = FakeSettings({}, SCHEMA)
    assert settings["key"] is None
    assert settings.get("key", "fallback") == "fallback"
    with pytest.raises(KeyError, match="other"):
        settings["other"]
    assert settings.get("other", 1) == 1


def test_values_are_copies() -> None:
    settings = FakeSettings(None, SCHEMA)
    settings["names"].append("b")
    assert settings["names"] == ["a"]


def test_changes_are_seen_and_told() -> None:
    settings = FakeSettings({"maxSounds": 2}, SCHEMA)
    told: list[frozenset[str]] = []
    settings.on_change(told.append)
    settings.update({"maxSounds": 3, "key": "k"})
    settings.update({"maxSounds": 3})
    settings.update({"maxSounds": None})
    assert settings["maxSounds"] == 100
    assert told == [frozenset({"maxSounds", "key"}), frozenset({"maxSounds"})]
    settings.disconnect()
    settings.update({"key": None})
    assert len(told) == 2


@pytest.mark.parametrize("changes", [{"maxsounds": 1}, {"key": "k", "other": 1}, {"key": object()}])
def test_one_bad_change_and_nothing_is_stored(changes: dict[str, Any]) -> None:
    settings = FakeSettings({}, SCHEMA)
    with pytest.raises(Invalid):
        settings.update(changes)
    assert settings["key"] is None


def test_unknown_values_are_found_at_once() -> None:
    with pytest.raises(Invalid, match="maxsounds") as caught:
        FakeSettings({"maxsounds": 1}, SCHEMA)
    assert [problem.path for problem in caught.value.details] == ["maxsounds"]


def test_what_the_operator_pins_stays() -> None:
    settings = FakeSettings({"key": "k"}, SCHEMA, pinned=["key"])
    with pytest.raises(Conflict, match="key"):
        settings.update({"key": "other", "maxSounds": 1})
    assert settings.as_dict()["maxSounds"] == 100


def test_without_a_schema_every_name_is_taken() -> None:
    settings = FakeSettings({"a": 1})
    settings.update({"b": 2})
    assert settings.as_dict() == {"a": 1, "b": 2}
