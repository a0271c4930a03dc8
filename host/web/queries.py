"""Query parameters made typed values by the route's ``query`` schema, compiled once."""

from __future__ import annotations

import copy
import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from host.schemas import Validator, compile_schema
from host.web.problems import all_problems
from host.web.requests import raw_query
from plugin_sdk import Invalid, Problem, Query, Schema

__all__ = ["QuerySchema"]

_WORDS: Final = {
    "integer": "must be an integer",
    "number": "must be a number",
    "boolean": "must be true or false",
}
_NOTES: Final = frozenset({"type", "default", "title", "description", "examples", "deprecated"})
_LIMITS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "enum": lambda value, allowed: value in allowed,
}
Limit = tuple[Callable[[Any, Any], bool], Any]


class _Unfit(ValueError):
    """A text that is no value of the type."""


class QuerySchema:
    """An object schema over query parameters.

    A property of type integer takes ASCII ``-?[0-9]+`` only, a number is one of JSON, a boolean
    is ``true`` or ``false``; an array collects all occurrences and splits each at commas. Other
    types, and parameters that the schema does not name, are the text of the first occurrence."""

    def __init__(self, schema: Schema) -> None:
        properties: Mapping[str, Schema] = schema.get("properties", {})
        resolved = {name: _resolve(each, schema) for name, each in properties.items()}
        self._readers = {name: _reader(each, schema) for name, each in resolved.items()}
        self._defaults = {
            name: each["default"] for name, each in resolved.items() if "default" in each
        }
        self._required = frozenset(schema.get("required", ()))
        self._quick = _quick_checks(schema, resolved)
        self._validator: Validator = compile_schema(schema)

    def read(self, params: Mapping[str, str | list[str]]) -> Query:
        """Raises Invalid that lists every problem."""
        raw = raw_query(params)
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, texts in raw.items():
            reader = self._readers.get(name)
            if reader is None:
                values[name] = texts[0]
                continue
            try:
                values[name] = reader(texts)
            except _Unfit as unfit:
                problems.append(Problem(name, str(unfit)))
        for name, default in self._defaults.items():
            if name not in raw:
                values[name] = copy.copy(default) if isinstance(default, list) else default
        if problems or not self._fits(values):
            unread = {problem.path for problem in problems}
            problems += [
                problem
                for problem in all_problems(self._validator, values)
                if problem.path.partition(".")[0] not in unread
            ]
        if problems:
            raise Invalid("The query is not valid.", details=problems)
        return Query(raw, values)

    def _fits(self, values: Mapping[str, Any]) -> bool:
        """Whether it is plain that nothing is wrong; else the validator has the word. It takes
        twenty times as long, and most queries are a number within its limits."""
        if self._quick is None or not self._required <= values.keys():
            return False
        for name, rules in self._quick.items():
            if rules and name in values:
                value = values[name]
                for rule, limit in rules:
                    if not rule(value, limit):
                        return False
        return True


def _quick_checks(
    schema: Schema, properties: Mapping[str, Schema]
) -> Mapping[str, list[Limit]] | None:
    """The limits of each parameter; None for a schema that says more than such limits."""
    known = {"type", "properties", "required", "$schema", "title", "description", "$defs"}
    if not set(schema) <= known:
        return None
    quick: dict[str, list[Limit]] = {}
    for name, each in properties.items():
        rules = set(each) - _NOTES
        simple = each.get("type", "string") in ("string", *_WORDS)
        if not simple or not rules <= set(_LIMITS) or not _comparable(each):
            return None
        quick[name] = [(_LIMITS[rule], each[rule]) for rule in rules]
    return quick


def _comparable(schema: Schema) -> bool:
    """Whether Python compares the values as JSON does (``True`` is no 1 there), and each limit
    is one for the type."""
    if any(isinstance(each, bool) for each in schema.get("enum", ())):
        return False
    numeric = schema.get("type") in ("integer", "number")
    textual = schema.get("type", "string") == "string"
    return (numeric or not {"minimum", "maximum"} & set(schema)) and (
        textual or not {"minLength", "maxLength"} & set(schema)
    )


def _resolve(schema: Schema, root: Schema) -> Schema:
    """Follows references into the same document."""
    for _ in range(16):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        target: Any = root
        for part in reference[2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _types(schema: Schema) -> tuple[str, ...]:
    declared = schema.get("type", "string") if isinstance(schema, Mapping) else "string"
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _reader(schema: Schema, root: Schema) -> Callable[[Sequence[str]], Any]:
    types = _types(schema)
    if "array" in types:
        items = schema.get("items", {})
        scalar = _scalar(_types(_resolve(items, root)))
        return lambda texts: _read_list(texts, scalar)
    scalar = _scalar(types)
    return lambda texts: scalar(texts[0])


def _read_list(texts: Sequence[str], scalar: Callable[[str], Any]) -> list[Any]:
    return [scalar(part) for text in texts if text for part in text.split(",")]


def _scalar(types: tuple[str, ...]) -> Callable[[str], Any]:
    readers = [_SCALARS[name] for name in ("boolean", "integer", "number") if name in types]
    if "string" in types or not readers:
        readers.append(str)
    if len(readers) == 1:
        return readers[0]

    def read(text: str) -> Any:
        for reader in readers:
            try:
                return reader(text)
            except _Unfit as unfit:
                last = unfit
        raise last

    return read


def _integer(text: str) -> int:
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 4000:
        raise _Unfit(_WORDS["integer"])
    return int(text)


def _number(text: str) -> int | float:
    try:
        if not text or text[0] not in "-0123456789" or text[-1] not in "0123456789":
            raise ValueError
        value = json.loads(text, parse_constant=_refuse)
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError
    except (ValueError, OverflowError):
        raise _Unfit(_WORDS["number"]) from None
    return value


def _refuse(_word: str) -> NoReturn:
    raise ValueError


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise _Unfit(_WORDS["boolean"])
    return text == "true"


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
