"""An OpenAPI 3.1 document said in 3.0.3, whose schemas are an older dialect of JSON Schema.

Source: OpenAPI Specification 3.0.3, "Schema Object": one type, ``nullable``, boolean
``exclusiveMinimum``, ``enum`` for ``const``, one ``example``, nothing beside a ``$ref``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["example_of", "schema_30"]

_UNKNOWN: Final = frozenset(
    {
        "$schema", "$id", "$comment", "$anchor", "$defs", "if", "then", "else", "propertyNames",
        "patternProperties", "prefixItems", "contains", "minContains", "maxContains",
        "unevaluatedProperties", "unevaluatedItems", "dependentRequired", "dependentSchemas",
        "contentEncoding", "contentMediaType", "contentSchema",
    }
)  # fmt: skip
_NULL: Final = {"type": "null"}
_MAX_DEPTH: Final = 8


def schema_30(schema: Any) -> Any:
    """A schema of draft 2020-12 in the words of 3.0.3; what these cannot say is left out."""
    if schema is True:
        return {}
    if schema is False:
        return {"not": {}}
    if "$ref" in schema:
        return _reference(schema)
    said: dict[str, Any] = {}
    for word, value in schema.items():
        if word not in _UNKNOWN:
            _say(said, word, value)
    if said.get("type") == "array":
        said.setdefault("items", {})
    return said


def _reference(schema: Mapping[str, Any]) -> dict[str, Any]:
    rest = {word: value for word, value in schema.items() if word != "$ref"}
    reference = {"$ref": schema["$ref"]}
    return {**schema_30(rest), "allOf": [reference]} if rest else reference


def _say(said: dict[str, Any], word: str, value: Any) -> None:
    """Adds one keyword."""
    if word == "type":
        _types(said, [value] if isinstance(value, str) else list(value))
    elif word == "const":
        said["enum"] = [value]
    elif word == "examples":
        if value:
            said["example"] = value[0]
    elif word in ("exclusiveMinimum", "exclusiveMaximum"):
        plain = word.removeprefix("exclusive").lower()
        said[plain], said[word] = value, True
    elif word in ("anyOf", "oneOf"):
        _choices(said, word, value)
    elif word == "properties":
        said[word] = {name: schema_30(each) for name, each in value.items()}
    elif word == "allOf":
        said[word] = [schema_30(each) for each in value]
    elif word in ("items", "not") or (word == "additionalProperties" and not _is_bool(value)):
        said[word] = schema_30(value)
    else:
        said[word] = value


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _types(said: dict[str, Any], types: list[str]) -> None:
    if "null" in types:
        said["nullable"] = True
        types = [each for each in types if each != "null"]
    if len(types) == 1:
        said["type"] = types[0]
    elif types:
        said["anyOf"] = [schema_30({"type": each}) for each in types]
    else:
        said["enum"] = [None]


def _choices(said: dict[str, Any], word: str, choices: list[Any]) -> None:
    others = [each for each in choices if each != _NULL]
    if len(others) < len(choices):
        said["nullable"] = True
    said[word] = [schema_30(each) for each in others]


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """A value of a 3.0.3 schema, made of its examples, defaults and first choices."""
    if depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    for word in ("example", "default"):
        if word in schema:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    for word in ("allOf", "oneOf", "anyOf"):
        if schema.get(word):
            return example_of(schema[word][0], schemas, depth + 1)
    if "properties" in schema or schema.get("type") == "object":
        properties = schema.get("properties", {})
        return {name: example_of(each, schemas, depth + 1) for name, each in properties.items()}
    if schema.get("type") == "array":
        return [example_of(schema.get("items", {}), schemas, depth + 1)]
    if schema.get("nullable") and "type" not in schema:
        return None
    return {"string": "text", "integer": schema.get("minimum", 1), "number": 1.5,
            "boolean": True}.get(schema.get("type", ""))  # fmt: skip
