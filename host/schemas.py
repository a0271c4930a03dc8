"""JSON Schema (2020-12) with the strictness of the contracts: compiled once, every problem named.

Stricter than the library's default in two points: ``1.0`` is no integer, and a pattern's ``$``
does not match before a final line break (ECMA 262, which JSON Schema refers to).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Protocol

from host.suggestions import suggestion_suffix
from plugin_sdk import Invalid, Problem

__all__ = ["Validator", "check_schema", "compile_schema", "problems"]


class Validator(Protocol):
    """A compiled schema."""

    schema: Any

    def iter_errors(self, instance: Any) -> Iterator[Any]: ...


@cache
def _validator_class() -> Any:
    # Imported when first needed: the library costs a tenth of a second at start.
    from jsonschema import Draft202012Validator, ValidationError, validators

    def is_integer(_checker: Any, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def pattern(_validator: Any, expression: str, value: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(value, str):
            trailing = expression.endswith("$") and value.endswith("\n")
            if trailing or not re.search(expression, value):
                yield ValidationError(f"does not match the pattern {expression}")

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer)
    return validators.extend(Draft202012Validator, {"pattern": pattern}, type_checker=checker)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises Invalid unless this is a valid 2020-12 schema without references to elsewhere."""
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError):  # written in Python: let the library say what is wrong
        _check(schema)
        return
    _check_text(text)


@lru_cache(maxsize=512)
def _check_text(text: str) -> None:
    """Remembers what is valid: the library takes milliseconds to find that."""
    _check(json.loads(text))


def _check(schema: Mapping[str, Any]) -> None:
    from jsonschema import SchemaError

    try:
        _validator_class().check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise Invalid(f"is no valid JSON Schema: {where or 'the whole'}: {error.message}") from None
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise Invalid(f'refers outside of the document: "{reference[:80]}"')


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def compile_schema(schema: Mapping[str, Any]) -> Validator:
    """A validator that can be used by many threads; formats are checked."""
    cls = _validator_class()
    compiled: Validator = cls(schema, format_checker=cls.FORMAT_CHECKER)
    return compiled


def problems(validator: Validator, instance: Any) -> list[Problem]:
    """Everything that is wrong with a value, in the order of its paths."""
    found: list[Problem] = []
    for error in validator.iter_errors(instance):
        found.extend(_explain(error))
    return sorted(set(found), key=lambda problem: problem.path)


def _explain(error: Any) -> Iterator[Problem]:
    path = [str(part) for part in error.absolute_path]
    rule, expected, value = error.validator, error.validator_value, error.instance
    if rule == "required":
        for name in expected:
            if name not in value:
                yield Problem(".".join([*path, name]), "is missing")
        return
    if rule == "additionalProperties" and isinstance(value, Mapping):
        known = list(error.schema.get("properties", {}))
        patterns = error.schema.get("patternProperties", {})
        for name in value:
            if name not in known and not any(re.search(each, name) for each in patterns):
                text = f'"{name}" is not known here;{suggestion_suffix(name, known)}'
                yield Problem(".".join([*path, name]), text.rstrip(";"))
        return
    yield Problem(".".join(path), _sentence(rule, expected, error.message))


def _sentence(rule: str, expected: Any, message: str) -> str:
    if rule == "type":
        names = expected if isinstance(expected, list) else [expected]
        return "must be " + " or ".join(_TYPE_NAMES.get(str(name), str(name)) for name in names)
    template = _SENTENCES.get(rule)
    if template is not None:
        return template.format(expected)
    if rule == "enum":
        return "must be one of " + ", ".join(str(each) for each in expected)
    if rule == "pattern":
        return message
    return f'does not satisfy "{rule}"'


_TYPE_NAMES = {
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_SENTENCES = {
    "const": "must be {0}",
    "minLength": "must have at least {0} characters",
    "maxLength": "must have at most {0} characters",
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "exclusiveMinimum": "must be greater than {0}",
    "exclusiveMaximum": "must be less than {0}",
    "multipleOf": "must be a multiple of {0}",
    "minItems": "must have at least {0} entries",
    "maxItems": "must have at most {0} entries",
    "minProperties": "must have at least {0} members",
    "maxProperties": "must have at most {0} members",
    "uniqueItems": "must not have an entry twice",
    "format": "is no valid {0}",
}
