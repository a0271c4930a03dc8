"""Pages and panels: what a plugin shows to people in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plugin_sdk.routes import Schema

__all__ = ["PANEL", "Page", "Panel"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page for people, listed in the admin's desk by ``order``, then title.

    ``path`` is a route of this plugin that answers HTML, appended to the plugin's prefix like
    every route path.
    """

    path: str
    title: str
    icon: str = ""
    order: int = 100


@dataclass(frozen=True, slots=True)
class Panel:
    """A small view of how this plugin is, shown on the overview of the admin's desk (by ``order``,
    then title) and on the plugin's own page there.

    ``path`` is a GET route of this plugin without fields that answers what `PANEL` describes, as
    JSON; give the route ``returns=PANEL``. The desk asks it with the visitor's own session, every
    ten seconds while the page is seen, and draws what it says as text. A visitor without the
    route's permission does not see the panel. One that fails, takes longer than five seconds or
    answers something else says so in its own place, and nothing else on the page waits for it.
    """

    path: str
    title: str
    order: int = 100


_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 80}

PANEL: Final[Schema] = {
    "title": "Panel",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "state": {
            "enum": ["good", "warning", "bad"],
            "description": "How it is, at a glance",
        },
        "text": {"type": "string", "maxLength": 500, "description": "One or two sentences"},
        "facts": {
            "type": "array",
            "maxItems": 12,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "value"],
                "properties": {
                    "name": _TEXT,
                    "value": {"type": ["string", "number"], "maxLength": 200},
                },
            },
        },
        "links": {
            "type": "array",
            "maxItems": 5,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["title", "url"],
                "properties": {
                    "title": _TEXT,
                    "url": {
                        "type": "string",
                        "pattern": "^/([^/]|$)",
                        "maxLength": 300,
                        "description": "A path on this host",
                    },
                },
            },
        },
    },
}
"""What a panel's route answers; every member may be left out."""
