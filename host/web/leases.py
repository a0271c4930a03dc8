"""What is held while an answer is on its way: a place in the plugin's gate, and open files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter

from host.plugins.gate import Gate

__all__ = ["Lease"]


class Lease:
    """A call inside a plugin whose answer outlives the handler.

    `release` may be called more than once and by any thread: the server closes a body from the
    worker that made it, or from the loop that sent it. ``callbacks`` run then, once."""

    __slots__ = ("_callbacks", "_gate", "_lock", "_started", "failed")

    def __init__(
        self, gate: Gate, started: float, callbacks: tuple[Callable[[], object], ...]
    ) -> None:
        self.failed = False
        self._gate: Gate | None = gate
        self._started = started
        self._callbacks = callbacks
        self._lock = threading.Lock()

    def fail(self) -> None:
        """The call counts as one that went wrong."""
        self.failed = True

    def release(self) -> None:
        with self._lock:
            gate, self._gate = self._gate, None
        if gate is None:
            return
        try:
            for callback in self._callbacks:
                callback()
        finally:
            gate.leave(failed=self.failed, seconds=perf_counter() - self._started)
