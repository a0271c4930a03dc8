"""Own identifiers: 25 characters that sort by creation (media contract, 3.3)."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Final

from plugin_sdk import Clock

__all__ = ["ID_PATTERN", "Ids", "may_be_kept"]

ID_PATTERN: Final = re.compile(r"c[a-z0-9]{24,25}")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE: Final = len(_DIGITS)
_PAIRS: Final = [high + low for high in _DIGITS for low in _DIGITS]
_COUNTED: Final = 36**4
_RANDOM: Final = 36**12


def may_be_kept(text: str) -> bool:
    """False for what no row has as its id, since databases do not keep it: U+0000, and bytes of a
    path that are no UTF-8 (they arrive as lone surrogates)."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


class Ids:
    """``c``, 8 digits of the time, 4 of a counter, 12 random ones, all base 36."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ms = -1
        self._time = ""  # of the last one, as text
        self._count = 0

    def new(self) -> str:
        with self._lock:
            now = self._clock.ms()
            if now > self._ms:
                self._begin(now)
            else:  # the clock may have been set back: order is worth more than a true time
                self._count += 1
                if self._count >= _COUNTED:
                    self._begin(self._ms + 1)
            time, count = self._time, self._count
        return f"c{time}{_text(count, 4)}{_text(secrets.randbelow(_RANDOM), 12)}"

    def _begin(self, ms: int) -> None:
        self._ms, self._time, self._count = ms, _text(ms, 8), 0


def _text(number: int, width: int) -> str:
    """``width`` is even: two digits are looked up at a time."""
    pairs = []
    for _ in range(width // 2):
        number, pair = divmod(number, _BASE * _BASE)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)
