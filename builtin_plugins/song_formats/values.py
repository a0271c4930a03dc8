"""Untrusted values, made tame: what is not of the asked shape counts as absent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["clean_text", "first", "flag", "items", "number", "objects", "plain", "text", "whole"]

_MAX_BITS: Final = 63
"""Integers beyond it fit neither a database nor a client's double."""


def clean_text(value: str) -> str:
    """Without U+0000 and lone surrogates, which neither databases nor strict JSON take."""
    if "\0" in value:
        value = value.replace("\0", "")
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def number(value: Any) -> float | int | None:
    """A finite number, passed as it is; booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_BITS else None
    return value if math.isfinite(value) else None


def whole(value: Any, least: int | None = None) -> int | None:
    """An integer, also one written as ``3.0``."""
    found = number(value)
    if found is None or found != int(found) or abs(found) >= 2**_MAX_BITS:
        return None
    result = int(found)
    return None if least is not None and result < least else result


def text(value: Any) -> str | None:
    return clean_text(value) if isinstance(value, str) else None


def flag(value: Any) -> bool:
    """Set by JSON true or a number that is not 0 (songs contract, 8.2)."""
    if isinstance(value, bool):
        return value
    found = number(value)
    return found is not None and found != 0


def first(item: Mapping[str, Any], *names: str) -> Any:
    """The first of these that is present and no null; None when none is."""
    for name in names:
        value = item.get(name)
        if value is not None:
            return value
    return None


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; what else stands in it is left out."""
    return [each for each in items(value) if isinstance(each, dict)]


def plain(value: Any) -> Any:
    """As strict JSON takes it: clean texts, plain numbers, null for what is no value."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return value
    found = number(value)
    return found if found is None or isinstance(found, bool) else found + 0
