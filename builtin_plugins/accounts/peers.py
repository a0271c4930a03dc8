"""How often another machine may fail (local REST contract, 3.3)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from plugin_sdk import RateLimited, Request, StageboxError
from plugin_sdk.exposure import network_of

__all__ = ["PeerLimit"]

MAX_FAILURES: Final = 10
WINDOW_SECONDS: Final = 60.0
_MAX_PEERS: Final = 10_000


class PeerLimit:
    """Ten refused attempts within a minute from one other machine; further ones are put off.

    An attempt counts as refused from its beginning until it turns out otherwise, so that many at
    once are no more than many in a row. This machine is exempt: behind a proxy everybody comes
    from it, and the lock of each profile guards that. Kept in memory, by each process for itself:
    it slows guessing down, and no answer depends on its being remembered. ``now`` is a monotonic
    clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    @contextmanager
    def attempt(self, request: Request) -> Iterator[None]:
        """Around an attempt: a refusal (401, 403) inside stays counted. Raises RateLimited."""
        if request.loopback:
            yield
            return
        network = network_of(request.peer)
        began = self._begin(network)
        refused = False
        try:
            yield
        except StageboxError as error:
            refused = error.status in (401, 403)
            raise
        finally:
            if not refused:
                self._forgive(network, began)

    def _begin(self, network: str) -> float:
        with self._lock:
            now = self._now()
            times = self._failures.setdefault(network, deque())
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            if len(times) >= MAX_FAILURES:
                wait = times[0] + WINDOW_SECONDS - now
                raise RateLimited("Too many refused attempts from your address.", retry_after=wait)
            times.append(now)
            self._failures.move_to_end(network)
            while len(self._failures) > _MAX_PEERS:
                self._failures.popitem(last=False)
        return now

    def _forgive(self, network: str, began: float) -> None:
        with self._lock:
            times = self._failures.get(network, deque())
            if began in times:
                times.remove(began)
            if not times:
                self._failures.pop(network, None)
