"""Lengths of time as settings have them, in milliseconds."""

from __future__ import annotations

from typing import Final

__all__ = ["DAY_MS", "MINUTE_MS", "SECOND_MS", "span_ms"]

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
_FOREVER: Final = 2**52


def span_ms(amount: float, unit: int) -> int:
    """So many units; any positive number is legal, and what is beyond all times is as good as
    for ever."""
    return int(min(amount * unit, _FOREVER))
