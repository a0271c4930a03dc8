"""JSON as this contract wants it (2.2): stricter than the SDK's in numbers, wider in texts."""

from __future__ import annotations

import json
import math
from typing import Any, Final

__all__ = [
    "MAX_DEPTH",
    "NotJson",
    "NotStrict",
    "Unkeepable",
    "compact",
    "depth_of",
    "has_surrogate",
    "parse",
]

MAX_DEPTH: Final = 64
_LOWEST: Final = -(2**63)
_HIGHEST: Final = 2**63 - 1


class NotJson(ValueError):
    """No JSON text in UTF-8, or one that is nested too deeply."""


class NotStrict(ValueError):
    """Nearly JSON, but not as it is wanted: NaN, a name that occurs twice in one object."""


class Unkeepable(NotStrict):
    """JSON, with a value inside that cannot be kept: a number out of range, half of a surrogate
    pair. ``value`` is what was parsed, with 0 in place of such numbers."""

    def __init__(self, reason: str, value: Any) -> None:
        super().__init__(reason)
        self.value = value


class _Notes:
    """Collects what is not strict while the text is parsed: whether it is JSON at all comes
    first."""

    def __init__(self, unique: bool) -> None:
        self._unique = unique
        self.problem: str | None = None
        self.unkeepable: str | None = None

    def constant(self, word: str) -> float:
        self.problem = f"{word} is no JSON number"
        return 0.0

    def integer(self, digits: str) -> int:
        if len(digits) <= 20:
            number = int(digits)
            if _LOWEST <= number <= _HIGHEST:
                return number
        self.unkeepable = "an integer has more than 64 bits"
        return 0

    def real(self, digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            self.unkeepable = "a number is out of range"
            return 0.0
        return number

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if self._unique and len(found) < len(pairs):
            self.problem = "a name occurs twice in one object"
        return found


def parse(text: bytes | str, *, unique: bool = True) -> Any:
    """The value. Raises NotJson, else NotStrict, else Unkeepable, each with a clause that says
    why. Without ``unique`` the last of several members with one name counts."""
    notes = _Notes(unique)
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(
            decoded,
            parse_constant=notes.constant,
            parse_int=notes.integer,
            parse_float=notes.real,
            object_pairs_hook=notes.members,
        )
    except UnicodeDecodeError as error:
        raise NotJson(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    if depth_of(value) > MAX_DEPTH:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    if notes.problem is not None:
        raise NotStrict(notes.problem)
    if notes.unkeepable is None and _has_surrogate(value):
        notes.unkeepable = "a text contains a lone surrogate"
    if notes.unkeepable is not None:
        raise Unkeepable(notes.unkeepable, value)
    return value


def compact(value: Any) -> str:
    """Without spaces, in the given order, everything beyond ASCII as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def depth_of(value: Any) -> int:
    """Levels of objects and arrays: 0 for a plain value."""
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        each, level = waiting.pop()
        if isinstance(each, dict | list):
            deepest = max(deepest, level)
            inner = each.values() if isinstance(each, dict) else each
            waiting += [(item, level + 1) for item in inner]
    return deepest


def has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text)


def _has_surrogate(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if has_surrogate(each):
                return True
        elif isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False
