"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["eventually"]

_Value = TypeVar("_Value")


def eventually(condition: Callable[[], _Value], seconds: float = 60.0, what: str = "") -> _Value:
    """Looks often until the condition is true, and returns what it gave; fails after so many
    seconds, and says ``what`` it was about."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} seconds in vain: {what}"
        time.sleep(0.01)
    return found
