"""A circuit breaker: where nobody answers, one tries again now and then, not everybody at once.

Connecting to a server that swallows packets takes seconds until it fails. Without this all threads
of a host would soon be busy with that, and nothing else would be answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["Breaker", "Open"]

PAUSE_SECONDS: Final = 1.0
_SLOW_SECONDS: Final = 1.0
"""A refusal comes faster; what takes longer to fail has not answered."""


class Open(Exception):
    """Nobody is to try now; the text is what the last one raised."""


class Breaker:
    """Closed while attempts end soon, well or not. When it is opened it keeps everybody away for a
    second; then one may try, and what comes of that decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self._until = 0.0
        self._trying = False

    def open(self, reason: str) -> None:
        """Nobody answers there, as ``reason`` says."""
        with self._lock:
            self._reason = reason
            self._until = time.monotonic() + PAUSE_SECONDS

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around an attempt. Raises `Open` when it is not to be made."""
        with self._lock:
            if self._reason and (self._trying or time.monotonic() < self._until):
                raise Open(self._reason)
            alone = self._trying = bool(self._reason)
        began = time.monotonic()
        reason = ""
        try:
            yield
        except Exception as error:
            if time.monotonic() - began > _SLOW_SECONDS:
                reason = str(error)
            raise
        finally:
            if alone:
                self._trying = False
            if reason:
                self.open(reason)
            elif alone:
                with self._lock:
                    self._reason = ""
