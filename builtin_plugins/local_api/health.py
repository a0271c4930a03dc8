"""The answer of ``GET /api/health`` (section 3.1 of the local REST contract)."""

from __future__ import annotations

from typing import Any, Final

from plugin_sdk import Response

__all__ = ["HEALTH", "health"]

HEALTH: Final[dict[str, Any]] = {
    "title": "Health",
    "type": "object",
    "required": ["status", "version", "timestamp", "exposeOnLan"],
    "additionalProperties": False,
    "properties": {
        "status": {"const": "ok"},
        "version": {"type": "string", "description": "The version of the host"},
        "timestamp": {"type": "integer", "description": "Milliseconds since the epoch"},
        "exposeOnLan": {
            "type": "boolean",
            "description": "Whether other machines can use the local REST API right now",
        },
    },
}
_HEADERS: Final = {"Cache-Control": "no-store"}


def health(version: str, now: int, exposed: bool, websockets: str | None) -> Response:
    """``now`` in milliseconds since the epoch. ``websockets``: where they are served if not here;
    a header says so, for the contract gives the body these four members."""
    body = {"status": "ok", "version": version, "timestamp": now, "exposeOnLan": exposed}
    return Response(
        body, headers={**_HEADERS, "Stagebox-WebSocket": websockets} if websockets else _HEADERS
    )
