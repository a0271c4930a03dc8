"""What a provider did wrong, told to the operator: named, and seldom enough to be read."""

from __future__ import annotations

import threading
import time
from typing import Final

from plugin_sdk import Logger

__all__ = ["ProviderFaults"]

QUIET_SECONDS: Final = 60.0
"""So long the same fault is only counted."""
_MOST: Final = 256
"""Kinds of faults that are remembered."""

_Kind = tuple[str, str, str, type[BaseException]]


class ProviderFaults:
    """Writes an error line for a failing call of a provider. The next ones of the same kind
    (provider, operation, class of the exception) are counted for a minute, and the line after
    that says how many there were."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._quiet: dict[_Kind, tuple[float, int]] = {}
        """Until when, and how many were not told."""

    def failed(self, type: str, name: str, operation: str, error: BaseException) -> None:
        """``operation`` is the method that raised ``error``."""
        untold = self._untold((type, name, operation, error.__class__))
        if untold is None:
            return
        more = f" ({untold} more since the last such line)" if untold else ""
        what = f"{error.__class__.__name__}: {error}".removesuffix(": ")
        self._log.error(
            "The %s provider %s failed at %s: %s%s",
            *(type, name, operation, what, more),
            exc_info=error,
        )

    def _untold(self, kind: _Kind) -> int | None:
        """How many were kept back before this one; None when it is kept back too."""
        now = time.monotonic()
        with self._lock:
            until, count = self._quiet.get(kind, (0.0, 0))
            if now < until:
                self._quiet[kind] = until, count + 1
                return None
            if len(self._quiet) >= _MOST:
                self._quiet.clear()
            self._quiet[kind] = now + QUIET_SECONDS, 0
            return count
