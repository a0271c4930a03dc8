"""What a client asks for, and sends along, with a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["BODY", "SECTIONS", "Wanted"]

SECTIONS: Final = ("system", "hardware", "logs", "console", "plugins")
_OBJECT: Final = {"type": "object"}

BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "redact": {"type": "boolean", "default": True},
        "include": {
            "type": "object",
            "properties": {name: {"type": "boolean", "default": True} for name in SECTIONS},
        },
        "clientConsole": {"type": "array", "items": _OBJECT},
        "clientHardware": _OBJECT,
        "clientUa": _OBJECT,
        "localStorage": _OBJECT,
        "contributions": {**_OBJECT, "description": "By plugin id"},
    },
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A body that fits `BODY`. What a client did not send is None."""

    redact: bool = True
    sections: frozenset[str] = frozenset(SECTIONS)
    console: Sequence[Mapping[str, Any]] | None = None
    hardware: Mapping[str, Any] | None = None
    user_agent: Mapping[str, Any] | None = None
    local_storage: Mapping[str, Any] | None = None
    contributions: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Mapping[str, Any] | None) -> Wanted:
        body = body or {}
        include = body.get("include", {})
        return cls(
            body.get("redact", True),
            frozenset(name for name in SECTIONS if include.get(name, True)),
            body.get("clientConsole"),
            body.get("clientHardware"),
            body.get("clientUa"),
            body.get("localStorage"),
            body.get("contributions", {}),
        )
