"""How far a long command is, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Final

__all__ = ["TerminalProgress"]

_INTERVAL: Final = 0.1
_MIB: Final = 1024 * 1024
_WIDTH: Final = 78


class TerminalProgress:
    """One line on standard error that is written over; nothing where that is no terminal.

    Call it with what is being done, how much is done, and how much there is (0: unknown), in
    ``unit`` or, without one, in bytes."""

    def __init__(self, unit: str = "") -> None:
        self._unit = unit
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _INTERVAL
        amount = ""
        if done:
            amount = self._amount(done) + (f" of {self._amount(total)}" if total else "") + "  "
        printable = "".join(c if c.isprintable() else "?" for c in what)
        sys.stderr.write(f"\r{(amount + printable)[:_WIDTH]:<{_WIDTH}}")
        sys.stderr.flush()

    def end(self) -> None:
        """Leaves an empty line."""
        if self._shown:
            sys.stderr.write("\r" + " " * _WIDTH + "\r")
            sys.stderr.flush()

    def _amount(self, number: int) -> str:
        return f"{number:,} {self._unit}" if self._unit else f"{number / _MIB:,.1f} MiB"
