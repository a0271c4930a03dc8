"""What the admin's desk shows of films and shows at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["panel"]


def panel(stats: Mapping[str, Any], scans: int) -> dict[str, Any]:
    """`plugin_sdk.PANEL`, of the counts over everything and the number of scans that are on or
    wait."""
    kinds = stats["mediaByType"]
    facts = [
        {"name": "Libraries", "value": stats["totalLibraries"]},
        {"name": "Films", "value": kinds["MOVIE"]},
        {"name": "Shows", "value": kinds["TV_SHOW"]},
        {"name": "Episodes", "value": stats["totalEpisodes"]},
    ]
    text = f"Scans that are on or wait: {scans}." if scans else ""
    return {"text": text, "facts": facts, "links": [{"title": "Films and shows", "url": "/media"}]}
