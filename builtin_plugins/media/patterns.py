"""Patterns of clients, matched with a time limit (media contract, 5.8).

With ``re`` alone a pattern such as ``(a+)+$`` could hold up the whole process for years: the
package ``regex`` takes the same dialect, stops in time, and lets other threads work meanwhile.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

__all__ = ["Pattern", "PatternTooSlow", "compiled"]

MAX_LENGTH: Final = 500
SECONDS: Final = 0.25
_MAX_REPEATS: Final = 100_000
_COUNTED: Final = re.compile(r"\{([0-9]*),?([0-9]*)\}")


class PatternTooSlow(Exception):
    """A pattern took too long on some name; the text says which."""


def compiled(text: str, *, any_case: bool = False) -> Any:
    """Raises ValueError for what is no pattern of Python, holds U+0000, which no setting can, or
    repeats counts of counts: those are written out when they are compiled."""
    import regex  # type: ignore[import-untyped]  # no types; a host starts faster without it

    if "\0" in text:
        raise ValueError("The pattern holds U+0000.")
    try:
        re.compile(text)
        counts = (max(int(each or 0) for each in found) for found in _COUNTED.findall(text))
        if math.prod(max(1, count) for count in counts) > _MAX_REPEATS:
            raise ValueError("The pattern repeats too often.")
        return regex.compile(text, regex.IGNORECASE if any_case else 0)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"This is no pattern: {error}") from None


class Pattern:
    """``name`` is what the pattern is called in settings."""

    def __init__(self, name: str, text: str, *, any_case: bool = False) -> None:
        self._name = name
        self._compiled = compiled(text, any_case=any_case)

    def found_in(self, name: str) -> bool:
        """Raises PatternTooSlow."""
        try:
            found = self._compiled.search(name, timeout=SECONDS, concurrent=True)
        except TimeoutError:
            raise PatternTooSlow(f"The pattern {self._name} takes too long") from None
        return found is not None
