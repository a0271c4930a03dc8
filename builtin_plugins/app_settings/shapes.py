"""Bodies and answers, as JSON Schemas."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CHANGES", "IMPORTED", "SETTINGS"]

_PROPERTIES: Final[dict[str, dict[str, Any]]] = {
    "dlcDir": {
        "type": "string",
        "maxLength": 4096,
        "description": "Empty, or the absolute path of an existing readable directory",
    },
    "psarcPlatform": {"enum": ["both", "pc", "mac"]},
    "defaultArrangement": {"enum": ["Lead", "Rhythm", "Bass", "Combo"]},
    "avOffsetMs": {"type": "number", "minimum": -1000, "maximum": 1000},
    "demucsServerUrl": {
        "type": "string",
        "maxLength": 2048,
        "pattern": r"^([hH][tT][tT][pP][sS]?://[^\s/?#][^\s]*)?$",
    },
}

SETTINGS: Final[dict[str, Any]] = {
    "title": "Settings",
    "type": "object",
    "required": list(_PROPERTIES),
    "additionalProperties": False,
    "properties": _PROPERTIES,
}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


CHANGES: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: _or_null(schema) for name, schema in _PROPERTIES.items()},
}

IMPORTED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["ok", "applied", "warnings"],
    "properties": {
        "ok": {"const": True},
        "applied": {"type": "array", "items": {"type": "string"}},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}
