"""A store with one plugin's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from host.db import HostDatabase
from host.settings import SettingsStore
from plugin_sdk import Invalid

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
