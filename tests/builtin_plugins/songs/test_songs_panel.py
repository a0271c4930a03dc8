"""What the desk shows of the library at a glance."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import validate

from builtin_plugins.songs.panel import panel
from plugin_sdk import PANEL

STATS = {"totalSongs": 12, "totalArtists": 3}
IDLE = {"running": False, "failed": 0, "error": None, "done": 0, "total": 0}


@pytest.mark.parametrize(
    ("scan", "state", "text"),
    [
        ({}, "good", ""),
        ({"running": True, "done": 2, "total": 9, "failed": 1}, "good", "A scan is on: 2 of 9."),
        ({"failed": 4}, "warning", ""),
        ({"error": "No disk. " * 99}, "bad", "The last scan ended early: No disk."),
    ],
)
def test_the_panel_tells_how_the_last_scan_went(scan: Any, state: str, text: str) -> None:
    found = panel(STATS, {**IDLE, **scan})
    validate(found, PANEL)
    assert found["state"] == state
    assert found["text"].startswith(text)
    facts = {each["name"]: each["value"] for each in found["facts"]}
    assert (facts["Songs"], facts["Artists"]) == (12, 3)
    assert facts.get("Not readable at the last scan", 0) == scan.get("failed", 0)
