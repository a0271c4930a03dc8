"""A token bucket: so many requests a second, a few of them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from plugin_sdk import ProviderError

__all__ = ["Bucket", "Waiter"]

_SLICE: Final = 0.25


class Waiter:
    """Waits in slices, so that a stop is heard soon. ``pause`` and ``now`` are for tests, which
    let time pass without waiting."""

    def __init__(
        self,
        stopping: Callable[[], bool],
        pause: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stopping = stopping
        self._pause = pause
        self.now = now

    def wait(self, seconds: float) -> None:
        """Raises ProviderError when the host is to stop meanwhile."""
        until = self.now() + seconds
        while True:
            if self._stopping():
                raise ProviderError("The look-up was given up: it is to stop.")
            left = until - self.now()
            if left <= 0:
                return
            self._pause(min(left, _SLICE))


class Bucket:
    """Refilled ``per_second`` times a second; holds max(1, floor(per_second)). For many threads:
    whoever comes first is served first."""

    def __init__(self, per_second: float, waiter: Waiter) -> None:
        self._per_second = per_second
        self._burst = max(1, int(per_second))
        self._waiter = waiter
        self._lock = threading.Lock()
        self._free_at = waiter.now() - self._burst / per_second
        """When the bucket would have been empty, had each request taken its full time."""

    def take(self) -> None:
        """Waits for a turn. Raises ProviderError when the host is to stop meanwhile."""
        with self._lock:
            now = self._waiter.now()
            oldest = now - self._burst / self._per_second
            self._free_at = max(self._free_at, oldest) + 1 / self._per_second
            wait = self._free_at - now
        self._waiter.wait(max(0.0, wait))
