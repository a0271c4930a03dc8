"""Members of request bodies: each says how it is checked and how it is documented.

The bodies are read here rather than by the host, because these routes judge something else first
(who may change this profile at all, whether the first run is over), and because a name is trimmed
before its length counts. Every problem of a body is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import category

from plugin_sdk import (
    Invalid,
    Problem,
    Request,
    Schema,
    UnsupportedMediaType,
    check_json,
    dump_json,
    parse_json,
)

__all__ = [
    "Body",
    "Field",
    "Unfit",
    "any_text",
    "identifier",
    "integer_or_null",
    "list_of",
    "name",
    "plain_object",
    "text",
    "truth",
]

_MAX_DEPTH: Final = 32
_MAX_PROBLEMS: Final = 200
"""As many as the host tells of a body that it checks itself."""


class Unfit(Exception):
    """What is wrong with a value: pairs of a path below it (``""`` is the value) and a sentence."""

    def __init__(self, message: str = "", *, parts: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.parts = tuple(parts) or (("", message),)


@dataclass(frozen=True, slots=True)
class Field:
    """``take`` returns the value to work with, or raises Unfit."""

    schema: Schema
    take: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object; members that are not known are ignored."""

    title: str
    fields: Mapping[str, Field]
    required: Collection[str] = ()

    @property
    def documented(self) -> dict[str, Any]:
        """The request body in an OpenAPI operation."""
        schema: dict[str, Any] = {"title": self.title, "type": "object"}
        if self.required:
            schema["required"] = list(self.required)
        schema["properties"] = {name: dict(field.schema) for name, field in self.fields.items()}
        content = {"application/json": {"schema": schema}}
        return {"requestBody": {"required": bool(self.required), "content": content}}

    def read(self, request: Request) -> dict[str, Any]:
        """The checked members of a request's body. Raises TooLarge, UnsupportedMediaType, Invalid:
        in this order of judgement."""
        return self.check(read_object(request))

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The known members that are there, each as its field takes it. Raises Invalid with every
        problem."""
        taken: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, field in self.fields.items():
            if name not in values:
                if name in self.required:
                    problems.append(Problem(name, "is missing"))
                continue
            try:
                taken[name] = field.take(values[name])
            except Unfit as error:
                problems.extend(
                    Problem(f"{name}.{path}" if path else name, message)
                    for path, message in error.parts
                )
        if problems:
            first = problems[0]
            raise Invalid(f"{first.path} {first.message}.", details=problems[:_MAX_PROBLEMS])
        return taken


def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; empty when there is none, which lists what is missing."""
    content = request.read()
    declared = request.headers.get("content-type", "")
    media_type = declared.partition(";")[0].strip().lower()
    if media_type != "application/json" and (declared or content):
        raise UnsupportedMediaType("This route takes application/json.")
    if not content:
        return {}
    value = parse_json(content, max_depth=_MAX_DEPTH)
    if not isinstance(value, dict):
        problem = Problem("", "must be an object")
        raise Invalid("The body must be a JSON object.", details=[problem])
    return value


def text(shortest: int, longest: int) -> Field:
    """A text of so many characters (code points), as it was sent."""

    def take(value: Any) -> str:
        return _sized(_text(value), shortest, longest)

    schema = {"type": "string", "minLength": shortest, "maxLength": longest}
    return Field(schema, take)


def name(longest: int) -> Field:
    """A name: trimmed, then 1 to ``longest`` characters, none of them a control character."""

    def take(value: Any) -> str:
        trimmed = _text(value).strip()
        if any(category(character) == "Cc" for character in trimmed):
            raise Unfit("must not have control characters")
        return _sized(trimmed, 1, longest)

    description = f"1 to {longest} characters after trimming, no control characters"
    return Field({"type": "string", "description": description}, take)


def integer_or_null(least: int, most: int) -> Field:
    """An integer (no ``1.0``, no boolean), or null."""

    def take(value: Any) -> int | None:
        if value is None:
            return None
        if type(value) is not int:
            raise Unfit("must be an integer or null")
        if not least <= value <= most:
            raise Unfit(f"must be from {least} to {most}")
        return value

    return Field({"type": ["integer", "null"], "minimum": least, "maximum": most}, take)


def _take_truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


truth: Final = Field({"type": "boolean"}, _take_truth)


def _take_identifier(value: Any) -> int:
    if type(value) is not int:
        raise Unfit("must be an integer")
    return value


identifier: Final = Field({"type": "integer", "minimum": 1}, _take_identifier)
"""The id of something; whether there is such a thing is for others to say."""


def plain_object(most_bytes: int) -> Field:
    """Any JSON object that is not larger than this as compact JSON in UTF-8."""

    def take(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Unfit("must be an object")
        if len(dump_json(value).encode()) > most_bytes:
            raise Unfit(f"must have at most {most_bytes} bytes as compact JSON")
        return value

    return Field({"type": "object", "description": f"At most {most_bytes} bytes"}, take)


def list_of(item: Field, most: int) -> Field:
    """A list whose entries are each taken by ``item``."""

    def take(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Unfit("must be a list")
        if len(value) > most:
            raise Unfit(f"must have at most {most} entries")
        taken: list[Any] = []
        wrong: list[tuple[str, str]] = []
        for index, each in enumerate(value):
            try:
                taken.append(item.take(each))
            except Unfit as error:
                wrong.extend((str(index), message) for _, message in error.parts)
        if wrong:
            raise Unfit(parts=wrong)
        return taken

    return Field({"type": "array", "items": dict(item.schema), "maxItems": most}, take)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("must be a text")
    try:
        check_json(value)  # a command's arguments did not come as JSON
    except Invalid:
        raise Unfit("has characters that cannot be kept") from None
    return value


any_text: Final = Field({"type": "string"}, _text)
"""Of any length: what cannot be right is wrong, not malformed."""


def _sized(value: str, shortest: int, longest: int) -> str:
    if shortest <= len(value) <= longest:
        return value
    if not shortest:
        raise Unfit(f"must have at most {longest} characters")
    raise Unfit(f"must have {shortest} to {longest} characters")
