"""Envelopes around what is answered (media contract, 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from builtin_plugins.media.fields import INVALID_JSON
from plugin_sdk import Request, Response, StageboxError

__all__ = ["HEADERS", "RESOURCE", "envelope", "success"]

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_JSON_HEADERS: Final = {"Cache-Control": "no-store"}
RESOURCE: Final = "RESOURCE"
"""The code of a NotFound that is about a thing, not about a path."""

_KINDS: Final = {
    400: "Validation failed",
    404: "Route not found",
    413: "Payload too large",
    416: "Range Not Satisfiable",
}
"""Where the contract has other words than HTTP."""
_STREAM: Final = "/api/v1/stream/"
_IMAGE: Final = "/api/v1/image/"


def success(data: Any, message: str | None = None, status: int = 200) -> Response:
    body = {"success": True, "data": data}
    if message is not None:
        body["message"] = message
    return Response(body, status, _JSON_HEADERS)


def envelope(error: StageboxError, request: Request) -> dict[str, Any]:
    """The error body below ``/api/v1``."""
    kind = _KINDS.get(error.status) or HTTPStatus(error.status).phrase.capitalize()
    message = error.message
    if error.status == 400 and error.code == INVALID_JSON:
        kind = "Invalid JSON"
    elif error.status == 404:
        kind, message = _missing(error, request)
    elif error.status == 405:
        message = f"Cannot {request.method} {request.target or request.path}"
    elif error.status == 500:
        message = "An unexpected error occurred"
    body: dict[str, Any] = {"success": False, "error": kind, "message": message}
    if error.details and error.status == 400:
        body["details"] = [{"field": each.path, "message": each.message} for each in error.details]
        body["message"] = error.details[0].message
    return body


def _missing(error: StageboxError, request: Request) -> tuple[str, str]:
    """A thing that is not there, or a path that leads nowhere."""
    if error.code == RESOURCE:
        return "Not found", error.message
    path = request.path.rstrip("/")
    for prefix, what in ((_STREAM, "Media file"), (_IMAGE, "Image")):
        rest = path.removeprefix(prefix)
        if path.startswith(prefix) and rest and "/" not in rest:
            # A file that went away between our look and the host's opening it.
            return "Not found", f"{what} with identifier '{rest}' not found"
    return "Route not found", f"Cannot {request.method} {request.target or request.path}"
