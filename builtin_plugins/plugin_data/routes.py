"""What the routes take and give, as JSON Schema: checked by the host, shown in the API document."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["META", "NO_STORE", "QUERY", "VALUE"]

NO_STORE: Final = {"Cache-Control": "no-store"}

QUERY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["pluginId", "key", "scope"],
    "properties": {
        "pluginId": {"type": "string", "minLength": 1, "description": "Whose data"},
        "key": {"type": "string", "minLength": 1},
        "scope": {"type": "string", "enum": ["local", "server"]},
        "serverId": {"type": "string", "description": "The room; needed for scope server"},
    },
    "if": {"required": ["scope"], "properties": {"scope": {"const": "server"}}},
    "then": {"required": ["serverId"], "properties": {"serverId": {"minLength": 1}}},
}

VALUE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["value"],
    "additionalProperties": False,
    "properties": {"value": {"description": "The stored JSON value; null when there is none"}},
}

META: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["key", "value"],
    "additionalProperties": False,
    "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
}
