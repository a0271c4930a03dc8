"""A lock that is given in the order of asking.

`threading.Lock` goes to whoever comes by when it is free, mostly the thread that just gave it
back: one that writes in a loop keeps others waiting for long (measured with 8 writers: longest wait
330 to 1,800 ms, with this lock 5 ms, at 36,000 instead of 47,000 transactions a second).
"""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["FairLock"]


class FairLock:
    """Not reentrant; may be released by another thread than took it."""

    __slots__ = ("_held", "_mutex", "_waiting")

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float) -> bool:
        """False when it was not given within ``timeout`` seconds; 0 does not wait."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            if timeout <= 0:
                return False
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        try:
            given = turn.acquire(timeout=timeout)
        except BaseException:  # an interrupt: the turn must not get lost
            if not self._leave(turn):
                self.release()
            raise
        return given or not self._leave(turn)

    def release(self) -> None:
        """Hands it to who waits longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def _leave(self, turn: threading.Lock) -> bool:
        """Leaves the queue; False when the lock was handed over in this very moment."""
        with self._mutex:
            if turn not in self._waiting:
                return False
            self._waiting.remove(turn)
            return True
