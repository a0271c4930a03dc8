"""Strict JSON: what RFC 8259 calls JSON, and nothing that a parser happens to let through."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from plugin_sdk.errors import Invalid

__all__ = ["MAX_JSON_DEPTH", "check_json", "dump_json", "parse_json"]

MAX_JSON_DEPTH: Final = 64
_MAX_BITS: Final = 1023  # what a double can still tell from infinity


def _refuse_constant(word: str) -> Any:
    raise Invalid(f"This is not valid JSON: {word} is no JSON value.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Invalid(f'This is not usable JSON: the key "{key}" occurs twice in one object.')
        result[key] = value
    return result


def parse_json(
    text: bytes | str, *, max_depth: int = MAX_JSON_DEPTH, unique_keys: bool = False
) -> Any:
    """The value of a JSON text in UTF-8.

    Refused are NaN and Infinity, numbers beyond the range of a double, lone surrogates, U+0000
    in texts, more than ``max_depth`` levels and, with ``unique_keys``, a key that occurs twice
    in one object (otherwise the last one wins). Raises Invalid with a sentence that says what
    is wrong and where.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise Invalid(f"This is not UTF-8: byte {error.start} cannot be decoded.") from None
    if not decoded.strip():
        raise Invalid("The body is empty; a JSON value is needed.")
    try:
        value = json.loads(
            decoded,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique if unique_keys else None,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"This is not valid JSON: {error.msg} at {where}.") from None
    except (RecursionError, ValueError):  # deep nesting; integers beyond 4,300 digits
        raise Invalid("This is not usable JSON: too deep, or a number too long.") from None
    check_json(value, max_depth=max_depth)
    return value


def check_json(value: Any, *, max_depth: int = MAX_JSON_DEPTH) -> None:
    """Raises Invalid unless the value can be written as strict JSON and read back equal."""
    if isinstance(value, str):
        if "\0" in value:
            raise Invalid("This is not usable JSON: a text contains U+0000.")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise Invalid("This is not usable JSON: a text contains a lone surrogate.")
    elif isinstance(value, dict | list | tuple):
        if max_depth <= 0:
            raise Invalid("This is not usable JSON: it is nested too deeply.")
        if isinstance(value, dict):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise Invalid(f"This is not usable JSON: the key {key!r} is not a text.")
                check_json(key)
                check_json(item, max_depth=max_depth - 1)
        else:
            for item in value:
                check_json(item, max_depth=max_depth - 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("This is not usable JSON: a number is out of range.")
    elif isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise Invalid("This is not usable JSON: a number is out of range.")
    elif value is not None:
        raise Invalid(f"This is not usable JSON: {type(value).__name__} is no JSON type.")


def dump_json(value: Any) -> str:
    """Compact JSON text; raises Invalid for what `check_json` refuses."""
    check_json(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
