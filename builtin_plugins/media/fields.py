"""Reading what clients send: bodies by content, and fields one by one (media contract, 3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from builtin_plugins.media.ids import ID_PATTERN
from builtin_plugins.media.patterns import MAX_LENGTH, compiled
from plugin_sdk import Invalid, Problem, Request, UnsupportedMediaType, parse_json

__all__ = [
    "CONTROL",
    "INVALID_JSON",
    "Fields",
    "one_parameter",
    "problem",
    "read_body",
    "read_id",
    "read_query",
]

INVALID_JSON: Final = "INVALID_JSON"
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""But for tab, line feed and carriage return."""
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""As JSON writes it."""


def problem(path: str, message: str) -> Invalid:
    """A refusal that concerns one field."""
    return Invalid(message, details=[Problem(path, message)])


def read_id(request: Request) -> str:
    """The path's id of a film, a show or a stream; raises Invalid before anything is looked up."""
    text = request.params["id"]
    if not ID_PATTERN.fullmatch(text):
        raise problem("id", "Invalid ID format")
    return text


def one_parameter(request: Request, name: str) -> str | None:
    """A query parameter, trimmed; raises Invalid when it was sent twice, or is no plain text."""
    sent = request.query.all(name)
    if len(sent) > 1:
        raise problem(name, f"{name} was sent more than once")
    if not sent:
        return None
    text: str = sent[0]
    if CONTROL.search(text) or any("\ud800" <= c <= "\udfff" for c in text):
        raise problem(name, f"{name} must not contain control characters")
    return text.strip()


def read_query(request: Request) -> str:
    """What is searched for (5.2); raises Invalid."""
    text = one_parameter(request, "query")
    if text is None:
        raise problem("query", "Search query is required")
    if not text:
        raise problem("query", "Search query must be at least 1 character")
    if len(text) > 100:
        raise problem("query", "Search query must be at most 100 characters")
    return text


def read_body(request: Request) -> Fields:
    """The body as an object, judged by its content. Raises Invalid, TooLarge,
    UnsupportedMediaType."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        raise UnsupportedMediaType("Send JSON: multipart forms are not taken here.")
    raw = request.read().strip(b" \t\r\n")
    if not raw:
        return Fields({}, "")
    if raw[:1] in (b"{", b"["):
        return Fields(_json(raw), "")
    if content_type == "application/x-www-form-urlencoded":
        return Fields(_form(raw), "", form=True)
    raise Invalid("The body is not JSON.", code=INVALID_JSON)


def _json(raw: bytes) -> Any:
    """U+0000 is left to the field that has it, which refuses it as it does other controls."""
    plain = _NUL.sub(rb"\1\\u007f", raw)
    try:
        value = parse_json(plain)
    except Invalid as error:
        raise Invalid(error.message, code=INVALID_JSON) from None
    return value if plain == raw else json.loads(raw)


def _form(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=1000))
    except ValueError:
        raise Invalid("The form cannot be read.", code=INVALID_JSON) from None


class Fields:
    """The members of an object; each reader gives None for one that is absent (or null) and
    raises Invalid for one that is not as it should be."""

    def __init__(self, given: Any, path: str, *, form: bool = False) -> None:
        """``path`` leads to the object, "" being the body; the values of a ``form`` are texts,
        whatever is wanted."""
        if not isinstance(given, Mapping):
            raise problem(path, f"{path or 'The body'} must be an object")
        self._given: Mapping[str, Any] = given
        self._path = path
        self.form = form

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def path(self, name: str) -> str:
        """The dotted path of a member."""
        return f"{self._path}.{name}" if self._path else name

    def value(self, name: str) -> Any:
        return self._given.get(name)

    def refuse(self, name: str, message: str) -> Invalid:
        path = self.path(name)
        return problem(path, f"{path if name.isdigit() else name} {message}")

    def text(self, name: str, shortest: int, longest: int) -> str | None:
        """Trimmed; no control characters."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse(name, "must be a text")
        if CONTROL.search(value):  # before trimming, which takes some of them for white space
            raise self.refuse(name, "must not contain control characters")
        value = value.strip()
        if not shortest <= len(value) <= longest:
            raise self.refuse(name, f"must have {shortest} to {longest} characters")
        return value

    def required_text(self, name: str, shortest: int, longest: int) -> str:
        value = self.text(name, shortest, longest)
        if value is None:
            raise self.refuse(name, "is required")
        return value

    def integer(self, name: str, smallest: int, largest: int) -> int | None:
        value = self._given.get(name)
        if value is None and name not in self._given:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(name, "must be an integer")
        if not smallest <= value <= largest:
            raise self.refuse(name, f"must be from {smallest} to {largest}")
        return value

    def one_of(self, name: str, choices: Sequence[str]) -> str | None:
        value = self.text(name, 0, 100)
        if value is not None and value not in choices:
            raise self.refuse(name, f"must be one of {', '.join(choices)}")
        return value

    def boolean(self, name: str) -> bool | None:
        value = self._given.get(name)
        if value is None and name not in self._given:
            return None
        if not isinstance(value, bool):
            raise self.refuse(name, "must be true or false")
        return value

    def texts(self, name: str, most: int, shortest: int, longest: int) -> list[str] | None:
        value = self._given.get(name)
        if value is None and name not in self._given:
            return None
        if not isinstance(value, list) or len(value) > most:
            raise self.refuse(name, f"must be a list of at most {most} texts")
        members = Fields({str(place): each for place, each in enumerate(value)}, self.path(name))
        return [members.required_text(str(place), shortest, longest) for place in range(len(value))]

    def pattern(self, name: str) -> str | None:
        """A regular expression, as it was sent."""
        value = self._given.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MAX_LENGTH:
            raise self.refuse(name, f"must be a text of at most {MAX_LENGTH} characters")
        try:
            compiled(value)
        except ValueError:
            raise problem(self.path(name), "Invalid regex pattern") from None
        return value

    def url(self, name: str, longest: int = 2000) -> str | None:
        """An absolute http or https URL; "" stays "" (it clears)."""
        value = self.text(name, 0, longest)
        if not value:
            return value
        try:
            parts = urlsplit(value)
            good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            good = False
        if not good or any(c.isspace() for c in value):
            raise self.refuse(name, "must be an absolute http or https URL")
        return value
