"""What the admin's desk shows of the library at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["panel"]


def panel(stats: Mapping[str, Any], scan: Mapping[str, Any]) -> dict[str, Any]:
    """`plugin_sdk.PANEL`, of the answers of ``/api/library/stats`` and ``/api/scan-status``."""
    facts = [
        {"name": "Songs", "value": stats["totalSongs"]},
        {"name": "Artists", "value": stats["totalArtists"]},
    ]
    if scan["failed"]:
        facts.append({"name": "Not readable at the last scan", "value": scan["failed"]})
    state, text = "good", ""
    if scan["running"]:
        text = f"A scan is on: {scan['done']} of {scan['total']}."
    elif scan["error"]:
        state, text = "bad", f"The last scan ended early: {scan['error']}"[:500]
    elif scan["failed"]:
        state = "warning"
    links = [{"title": "Library", "url": "/songs"}]
    return {"state": state, "text": text, "facts": facts, "links": links}
