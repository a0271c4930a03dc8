"""Plugins that the pages are looked at with."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

__all__ = ["HORN", "PINNED", "SETTINGS", "written"]


HORN = """
    from plugin_sdk import PANEL, Page, Panel, Plugin, Response, route

    class plugin(Plugin):
        def pages(self):
            return [Page("/page", "Blow the horn", "!", 5), Panel("/panel", "The horn", 5)]

        @route("GET", "/panel", permission="ADMIN", returns=PANEL)
        def panel(self, request):
            return {"state": "warning", "text": "It is <b>dented</b>.",
                    "facts": [{"name": "Valves", "value": 3}],
                    "links": [{"title": "Blow", "url": "/api/plugins/horn/page"},
                              {"title": "Elsewhere", "url": "//evil.example/"},
                              {"title": "There too", "url": "/\\t/evil.example/"}]}

        @route("GET", "/page", access="open")
        def page(self, request):
            return Response.html("<title>Horn</title>")

        @route("POST", "/complain")
        def complain(self, request):
            self.context.log.warning("The horn is dented.")
            return {}
"""


SETTINGS = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]*$", "default": "tuba", "title": "Name"},
        "loud": {"type": "boolean", "default": False},
        "pitch": {"enum": ["low", "high", None], "default": "low"},
        "weight": {"type": "number", "minimum": 0, "description": "In kilogrammes"},
        "keys": {"type": "array", "items": {"type": "string", "maxLength": 5}, "default": []},
        "extra": {"type": "object", "additionalProperties": {"type": "integer"}},
        "mouth": {"type": "object", "properties": {"width": {"type": "integer", "default": 3}}},
        "secret": {"type": "string", "writeOnly": True, "default": ""},
        "length": {"type": "integer", "default": 1},
        "case": {"enum": ["soft", "hard"]},
        "lent": {"type": "boolean"},
        "maker": {"type": "string", "default": "unknown", "description": "Who made it"},
        "sizes": {"type": "array", "items": {"type": "integer", "maximum": 9}},
        "mutes": {"type": "array", "items": {"enum": ["cup", "wah"]}, "uniqueItems": True},
        "players": {
            "type": "array",
            "title": "Players",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^[A-Z]", "title": "Called"},
                    "token": {"type": "string", "writeOnly": True},
                },
            },
        },
    },
}


PINNED = '[plugins.horn]\nmaker = "Adolphe"\n'


def written(folder: Path, plugin_id: str, code: str, **manifest: Any) -> Path:
    target = folder / plugin_id
    target.mkdir(parents=True)
    document = {"id": plugin_id, "name": plugin_id.title(), "version": "1.0.0", "sdk": ">=1,<2"}
    (target / "plugin.json").write_text(json.dumps({**document, **manifest}))
    (target / "__init__.py").write_text(textwrap.dedent(code))
    return target
