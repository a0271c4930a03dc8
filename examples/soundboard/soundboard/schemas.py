"""The shapes that go in and out of the routes."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Schema

__all__ = ["BAD_LABEL", "CHECK", "FAVORITE", "MAX_LABEL", "SERVER", "SOUND"]

MAX_LABEL: Final = 80
BAD_LABEL: Final = r"[\u0000-\u001f/\\]|^\s|\s$|^\.{0,2}$"
"""No line breaks, no space around it, and nothing that a path would understand otherwise: a label
is part of the address by which a favourite is removed."""

FAVORITE: Final[Schema] = {
    "type": "object",
    "required": ["label", "url"],
    "additionalProperties": False,
    "properties": {
        "label": {"type": "string", "maxLength": MAX_LABEL, "not": {"pattern": BAD_LABEL}},
        "url": {
            "type": "string",
            "maxLength": 2048,
            "pattern": r"^(https?://|/(?!/))\S+$",
            "description": "A path on this host, or an address elsewhere",
        },
    },
}
SOUND: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "label": {"type": "string"},
        "url": {"type": "string"},
        "uploaded": {"type": "boolean"},
    },
}
CHECK: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["queued", "running", "succeeded", "failed", "cancelled"]},
        "done": {"type": "integer"},
        "total": {"type": "integer"},
        "text": {"type": "string"},
        "result": {"type": ["object", "null"]},
    },
}
SERVER: Final[Schema] = {
    "type": "object",
    "required": ["serverId"],
    "properties": {"serverId": {"type": "string", "minLength": 1, "maxLength": 255}},
}
