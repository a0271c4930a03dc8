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

    __slots__ = ("_callbacks", "_gate", "_lock", "_slot", "_started", "failed", "threadless")

    def __init__(
        self, gate: Gate, started: float, callbacks: tuple[Callable[[], object], ...]
    ) -> None:
        self.failed = False
        self.threadless = False
        """Whether the server sends the body without a worker thread."""
        self._gate: Gate | None = gate
        self._slot = True
        self._started = started
        self._callbacks = callbacks
        self._lock = threading.Lock()

    def fail(self) -> None:
        """The call counts as one that went wrong."""
        self.failed = True

    def give_slot_back(self) -> None:
        """From here on the server's I/O loop sends, and no worker thread is held: any number of
        slow clients may fetch films without keeping others out of the plugin."""
        gate = self._gate
        if gate is not None and self._slot:
            self._slot = False
            gate.give_slot()

    def release(self) -> None:
        with self._lock:
            gate, self._gate = self._gate, None
        if gate is None:
            return
        try:
            for callback in self._callbacks:
                callback()
        finally:
            seconds = perf_counter() - self._started
            gate.leave(slot=self._slot, failed=self.failed, seconds=seconds)
