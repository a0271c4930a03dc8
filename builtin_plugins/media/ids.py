"""Own identifiers: 25 characters that sort by creation (media contract, 3.3)."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Final

from plugin_sdk import Clock

__all__ = ["ID_PATTERN", "Ids"]

ID_PATTERN: Final = re.compile(r"c[a-z0-9]{24,25}")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_COUNTED: Final = 36**4
_RANDOM: Final = 36**12


class Ids:
    """``c``, 8 digits of the time, 4 of a counter, 12 random ones, all base 36."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ms = 0
        self._count = 0

    def new(self) -> str:
        with self._lock:
            now = self._clock.ms()
            if now > self._ms:
                self._ms, self._count = now, 0
            else:  # the clock may have been set back: order is worth more than a true time
                self._count += 1
                if self._count >= _COUNTED:
                    self._ms, self._count = self._ms + 1, 0
            ms, count = self._ms, self._count
        return "c" + _text(ms, 8) + _text(count, 4) + _text(secrets.randbelow(_RANDOM), 12)


def _text(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
