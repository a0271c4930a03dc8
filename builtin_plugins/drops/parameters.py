"""How parameters arrive: JSON, a form, or the query string, all alike (contract, 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any, Final
from urllib.parse import parse_qsl

from builtin_plugins.drops import strict
from builtin_plugins.drops.answers import invalid, refusal
from builtin_plugins.drops.documents import Given
from builtin_plugins.drops.multipart import BadMultipart, boundary_of, parts
from plugin_sdk import Request, TooLarge, UnsupportedMediaType

__all__ = ["MAX_BODY", "NAMES", "JsonBody", "Unreadable", "check_size", "parameters", "read_body"]

MAX_BODY: Final = 1024 * 1024
NAMES: Final = frozenset({"key", "value", "settings", "recipients", "sender", "drop_message"})

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_MAX_FIELDS: Final = 1000


class Unreadable(ValueError):
    """A body that is not what its Content-Type says: no JSON, no UTF-8."""


class JsonBody:
    """A JSON body, parsed."""

    def __init__(self, value: Any) -> None:
        self.value = value


def check_size(request: Request) -> None:
    """Refuses, unread and in the form of this contract, a body that says that it is too large.
    Raises TooLarge. What does not say how large it is, the host cuts off at the same size."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > MAX_BODY:
        raise refusal(TooLarge, f"A body may have at most {MAX_BODY} bytes.")


def read_body(request: Request) -> JsonBody | Mapping[str, str] | None:
    """A JSON value, the fields of a form, or None for no body at all.

    Raises TooLarge and UnsupportedMediaType; Unreadable; NotStrict, or Unkeepable, for JSON that
    cannot be kept; Invalid for a field that is sent twice."""
    content = _content(request)
    if not content:
        return None
    declared = request.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    if not kind or kind == _JSON or kind.endswith("+json"):
        try:
            return JsonBody(strict.parse(content))
        except strict.NotJson as error:
            raise Unreadable(f"The body is not JSON: {error}.") from None
    if kind == _FORM:
        return _unique(_form_pairs(content))
    if kind == _MULTIPART:
        return _unique(_multipart_pairs(declared, content))
    raise refusal(UnsupportedMediaType, "Send JSON, a form, or a query string.")


def parameters(
    request: Request, body: JsonBody | Mapping[str, str] | None, names: Sequence[str]
) -> dict[str, Given]:
    """The named parameters that were sent; what is in the body wins. Raises Invalid, also for a
    parameter that is sent twice though another one is asked for."""
    found: dict[str, Given] = {}
    for name in NAMES:
        texts = request.query.all(name)
        if len(texts) > 1:
            raise invalid(f"The query has {name} more than once.")
        if texts and name in names:
            found[name] = Given(_text(name, texts[0]), typed=False)
    if isinstance(body, JsonBody):
        if not isinstance(body.value, dict):
            raise invalid("The body must be a JSON object.")
        given = {name: Given(body.value[name], typed=True) for name in names if name in body.value}
    else:
        fields = body or {}
        given = {name: Given(fields[name], typed=False) for name in names if name in fields}
    return {**found, **given}


def _content(request: Request) -> bytes:
    try:
        return request.read()
    except TooLarge as error:
        raise refusal(TooLarge, error.message) from None


def _text(name: str, text: str) -> str:
    if strict.has_surrogate(text):
        raise invalid(f"The query parameter {name} is not UTF-8.")
    return text


def _form_pairs(content: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            content.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except UnicodeDecodeError:
        raise Unreadable("The form is not UTF-8.") from None
    except ValueError:
        raise invalid(f"The form has more than {_MAX_FIELDS} fields.") from None


def _multipart_pairs(content_type: str, content: bytes) -> list[tuple[str, str]]:
    boundary = boundary_of(content_type, _MULTIPART)
    if boundary is None:
        raise invalid("The Content-Type of the form names no boundary.")
    pairs = []
    try:
        for head, value in parts([content], boundary, MAX_BODY):
            name = _field_name(head)
            if name is not None and value is not None:
                pairs.append((name, value.decode("utf-8")))
    except BadMultipart as error:
        raise invalid(f"The form cannot be read: {error}.") from None
    except UnicodeDecodeError:
        raise Unreadable("The form is not UTF-8.") from None
    return pairs


def _field_name(head: bytes) -> str | None:
    """Of ``Content-Disposition: form-data; name="..."`` (RFC 7578, 4.2)."""
    for line in head.decode("utf-8").split("\r\n"):
        title, _, value = line.partition(":")
        if title.strip().lower() == "content-disposition":
            message = Message()
            message["Content-Disposition"] = value.strip()
            name = message.get_param("name", header="content-disposition")
            return name if isinstance(name, str) else None
    return None


def _unique(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Our names may occur once; others mean nothing."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise invalid(f"The form has {name} more than once.")
        if name in NAMES:
            found[name] = value
    return found
