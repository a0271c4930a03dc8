"""An OpenAPI 3.1 document made from declared routes: there is no second place to write them.

Source: OpenAPI Specification 3.1.1; its schemas are JSON Schema 2020-12, so those of the routes
go in as they are. A schema with a ``title`` becomes a component of that name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

from plugin_sdk import MULTIPART, Route
from plugin_sdk.management import PublishedRoute

__all__ = ["Described", "build_document"]

_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::path)?\}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SERVER: Final = "\0server\0"
_HERE: Final = "#/components/schemas/"
_VALUES: Final = frozenset({"default", "const", "enum", "example", "examples"})
_BY_NAME: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})

_ERROR: Final[Mapping[str, Any]] = {
    "title": "Error",
    "type": "object",
    "required": ["error", "message"],
    "properties": {
        "error": {"type": "string", "description": "A stable code"},
        "message": {"type": "string", "description": "One sentence for people"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "incident": {"type": "string", "description": "Repeated in the host's log"},
    },
}

_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "Done; no content",
    206: "Part of the content",
    303: "See elsewhere",
    304: "Not modified",
    400: "Not valid",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    409: "Conflicts with the present state",
    413: "Too large",
    415: "Wrong media type",
    416: "Range not satisfiable",
    426: "Upgrade required",
    429: "Too many requests",
    500: "Internal error",
    502: "Another server failed",
    503: "Not available now",
}


class Described:
    """A document that is kept as text; only the server's address is filled in anew."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        self._before, self._after = text.split(json.dumps(_SERVER), 1)

    def text(self, server: str) -> str:
        return self._before + json.dumps(server) + self._after


def build_document(routes: Sequence[PublishedRoute], version: str) -> dict[str, Any]:
    """The document with a placeholder for the server's address; see `Described`."""
    components = _Components()
    paths: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    for published in sorted(routes, key=lambda each: (each.path, each.plugin_id)):
        route = published.route
        if isinstance(route, Route) and route.documented:
            path = _FIELD.sub(r"{\1}", published.path)
            operation = _operation(published, route, components, used)
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.1",
        "info": {"title": "Stagebox API", "version": version},
        "servers": [{"url": _SERVER}],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "securitySchemes": _security_schemes(paths),
        },
    }


def _security_schemes(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Bearer tokens, and what routes name beside them: a token of another kind in the same
    header, without the word Bearer."""
    schemes: dict[str, Any] = {"bearerAuth": {"type": "http", "scheme": "bearer"}}
    for operations in paths.values():
        for operation in operations.values():
            for requirement in operation["security"]:
                for name in requirement:
                    schemes.setdefault(name, dict(_HEADER_TOKEN))
    return schemes


_HEADER_TOKEN: Final = {"type": "apiKey", "in": "header", "name": "Authorization"}


class _Components:
    """Schemas with a title, each once; another of the same title gets a number."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}

    def place(self, schema: Any) -> Any:
        """The schema with its titled parts, and itself, replaced by references. One that refers
        to itself becomes a component as a whole: here "#" is another document."""
        if _refers_to_itself(schema):
            return {"$ref": f"{_HERE}{self._whole(schema)}"}
        return self.parts(schema)

    def part_of(self, root: Mapping[str, Any], schema: Any) -> Any:
        """As `place`, for a part of a schema, which may refer to other parts of that."""
        return _moved(schema, self._whole(root)) if _refers_to_itself(root) else self.place(schema)

    def parts(self, node: Any) -> Any:
        """As `place`, for anything that has schemas in it."""
        if isinstance(node, list | tuple):
            return [self.parts(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        placed = _each(node, self.parts)
        title = node.get("title")
        if not isinstance(title, str) or not _NAME.fullmatch(title):
            return placed
        return {"$ref": f"{_HERE}{self._named(title, lambda _: placed)}"}

    def _whole(self, schema: Mapping[str, Any]) -> str:
        title = schema.get("title")
        fits = isinstance(title, str) and _NAME.fullmatch(title)
        return self._named(str(title) if fits else "Schema", lambda name: _moved(schema, name))

    def _named(self, title: str, made: Callable[[str], Any]) -> str:
        name, number = title, 1
        while self.schemas.get(name, made(name)) != made(name):
            number += 1
            name = f"{title}{number}"
        self.schemas[name] = made(name)
        return name


def _each(node: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A schema with all schemas in it changed; values that it names, such as examples, are none,
    whatever they look like."""
    return {
        key: value
        if key in _VALUES
        else {name: change(each) for name, each in value.items()}
        if key in _BY_NAME and isinstance(value, Mapping)
        else change(value)
        for key, value in node.items()
    }


def _refers_to_itself(schema: Any) -> bool:
    if isinstance(schema, list | tuple):
        return any(map(_refers_to_itself, schema))
    if not isinstance(schema, Mapping):
        return False
    found: list[Any] = []
    _each(schema, found.append)
    return _is_own(schema.get("$ref")) or any(map(_refers_to_itself, found))


def _moved(schema: Any, name: str) -> Any:
    """With references to its own parts, as they are where it is a component of that name."""
    if isinstance(schema, list | tuple):
        return [_moved(each, name) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    moved = _each(schema, lambda each: _moved(each, name))
    moved.pop("$id", None)
    reference = schema.get("$ref")
    return {**moved, "$ref": f"{_HERE}{name}{reference[1:]}"} if _is_own(reference) else moved


def _is_own(reference: Any) -> TypeGuard[str]:
    return isinstance(reference, str) and (reference == "#" or reference.startswith("#/"))


def _operation(
    published: PublishedRoute, route: Route, components: _Components, used: set[str]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(published, route, used),
        "summary": route.summary,
        "tags": list(route.tags) or [published.plugin_id],
        "parameters": [*_path_parameters(published.path), *_query_parameters(route, components)],
        "responses": _responses(route, components),
        "security": [] if route.access == "open" and route.permission is None else _BEARER,
    }
    if route.description:
        operation["description"] = route.description
    if route.permission is not None:
        note = f"Needs the permission {route.permission}."
        text = operation.get("description", "")
        operation["description"] = f"{text}\n\n{note}".strip()
    if route.body is not None or route.consumes == (MULTIPART,):
        operation["requestBody"] = _request_body(route, components)
    operation.update(components.parts(route.extra))
    return operation


_BEARER: Final[Sequence[Mapping[str, Any]]] = [{"bearerAuth": []}]


def _operation_id(published: PublishedRoute, route: Route, used: set[str]) -> str:
    name = route.operation_id
    if name is None:
        words = re.findall(r"[A-Za-z0-9]+", published.path.removeprefix("/api"))
        name = route.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)
    unique, number = name, 1
    while unique in used:
        number += 1
        unique = f"{name}{number}"
    used.add(unique)
    return unique


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in _FIELD.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(route: Route, components: _Components) -> Iterator[dict[str, Any]]:
    if route.query is None:
        return
    required = route.query.get("required", ())
    for name, schema in route.query.get("properties", {}).items():
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": name in required}
        if "description" in schema:
            parameter["description"] = schema["description"]
        parameter["schema"] = components.part_of(route.query, schema)
        yield parameter


def _request_body(route: Route, components: _Components) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type in route.consumes:
        shown = "application/json" if media_type == "*/*" else media_type
        schema: Any = route.body if media_type != MULTIPART else None
        content[shown] = {"schema": components.place(schema or {"type": "object"})}
    return {"required": route.body_required, "content": content}


def _responses(route: Route, components: _Components) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    good: dict[str, Any] = {"description": _REASONS.get(route.status, "OK")}
    if route.returns is not None:
        good["content"] = {"application/json": {"schema": components.place(route.returns)}}
    responses[str(route.status)] = good
    statuses = set(route.errors)
    if route.access != "open" or route.permission is not None:
        statuses.add(401)
    if route.permission is not None or route.access == "profile":
        statuses.add(403)
    if route.body is not None or (route.query or {}).get("required"):
        statuses.add(400)
    for status in sorted(statuses):
        responses[str(status)] = {
            "description": _REASONS.get(status, "Error"),
            "content": {"application/json": {"schema": components.place(_ERROR)}},
        }
    return responses
