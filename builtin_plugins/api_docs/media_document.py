"""The OpenAPI 3.0.3 document of the media API (media contract, 5.11): the same routes, told to
older tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from builtin_plugins.api_docs.document import build_document
from builtin_plugins.api_docs.openapi30 import example_of, schema_30
from plugin_sdk.management import PublishedRoute

__all__ = ["build_media_document", "is_media"]

_TITLE: Final = "Stagebox Media API"
_TAGS: Final = (
    "Health", "Search", "Scan", "Library", "Movies", "TV Shows", "Stream", "Settings", "Logs",
)  # fmt: skip
_TAG_OF: Final = (  # by the beginning of a path, for routes that declare another tag or none
    ("/health", "Health"),
    ("/api/v1/search", "Search"),
    ("/api/v1/scan", "Scan"),
    ("/api/v1/librar", "Library"),
    ("/api/v1/movies", "Movies"),
    ("/api/v1/tv", "TV Shows"),
    ("/api/v1/shows", "TV Shows"),
    ("/api/v1/stream", "Stream"),
    ("/api/v1/image", "Library"),
    ("/api/v1/settings", "Settings"),
    ("/api/v1/providers", "Settings"),
    ("/api/v1/logs", "Logs"),
)
_FAILURES: Final[Mapping[str, tuple[str, str]]] = {
    "400": ("Validation failed", "limit must be at least 1"),
    "401": ("Unauthorized", "A valid token is needed: route guards are on."),
    "403": ("Forbidden", "The permission MANAGE_SETTINGS is missing."),
    "404": ("Not found", "Movie with identifier 'cmwrchn30000399vz4m630yv2' not found"),
    "409": ("Conflict", "50 scans are waiting already. Try again later."),
    "416": ("Range Not Satisfiable", "The requested range lies outside the content."),
}
"""By status: what stands in an example of a refusal."""
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_BYTE_PATHS: Final = {"/api/v1/stream/{id}": "video/*", "/api/v1/image/{name}": "image/*"}
_ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["success", "error", "message"],
    "properties": {
        "success": {"type": "boolean", "enum": [False]},
        "error": {"type": "string", "example": "Validation failed"},
        "message": {"type": "string", "example": "limit must be at least 1"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "example": "limit"},
                    "message": {"type": "string", "example": "limit must be at least 1"},
                },
            },
        },
        "incident": {"type": "string", "example": "9f0c2b7a"},
    },
}


def is_media(path: str) -> bool:
    """Whether a route belongs into this document."""
    return path == "/health" or path == "/api/v1" or path.startswith("/api/v1/")


def build_media_document(
    routes: Sequence[PublishedRoute], version: str, *, guarded: bool
) -> dict[str, Any]:
    """With a placeholder for the server's address, as `build_document` has. ``guarded``: whether
    a token is required, or taken only."""
    document = build_document([each for each in routes if is_media(each.path)], version)
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        schemas[name] = schema_30(schema)
    schemas["Error"] = dict(_ERROR)
    bearer: dict[str, list[str]] = {"bearerAuth": []}
    security: list[Any] = [bearer] if guarded else [{}, bearer]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _retell(path, operation, schemas, security)
    return {
        "openapi": "3.0.3",
        "info": {"title": _TITLE, "version": version},
        "servers": document["servers"],
        "tags": [{"name": name} for name in _TAGS],
        "paths": document["paths"],
        "components": document["components"],
    }


def _retell(
    path: str, operation: dict[str, Any], schemas: Mapping[str, Any], security: list[Any]
) -> None:
    open_always = path == "/health"
    operation["security"] = [{}, {"bearerAuth": []}] if open_always else security
    operation["tags"] = [_tag(path, operation)]
    for parameter in operation.get("parameters", ()):
        schema = schema_30(parameter.get("schema", {}))
        parameter["schema"] = schema
        parameter.setdefault("example", example_of(schema, schemas))
        parameter.pop("examples", None)
    responses = operation["responses"]
    if path in _BYTE_PATHS:
        for status in responses.keys() & {"200", "206"}:
            responses[status]["content"] = {_BYTE_PATHS[path]: dict(_BYTES)}
        responses.get("304", {}).pop("content", None)
    if "requestBody" in operation:
        _show(operation["requestBody"], schemas)
    for status, response in responses.items():
        _show(response, schemas, None if open_always else _failure(status))


def _failure(status: str) -> dict[str, Any] | None:
    if status not in _FAILURES:
        return None
    kind, message = _FAILURES[status]
    failure: dict[str, Any] = {"success": False, "error": kind, "message": message}
    if status == "400":
        failure["details"] = [{"field": "limit", "message": message}]
    return failure


def _show(described: Mapping[str, Any], schemas: Mapping[str, Any], example: Any = None) -> None:
    """Retells the schemas of a body, and gives each an example."""
    for content in described.get("content", {}).values():
        schema = schema_30(content.get("schema", {}))
        content["schema"] = schema
        if "examples" not in content and schema.get("format") != "binary":
            content.setdefault("example", example or example_of(schema, schemas))


def _tag(path: str, operation: Mapping[str, Any]) -> str:
    for tag in operation.get("tags", ()):
        for known in _TAGS:
            if str(tag).casefold() == known.casefold():
                return known
    return next((tag for start, tag in _TAG_OF if path.startswith(start)), "Settings")
