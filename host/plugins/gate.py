"""The gate of a plugin: counts the calls inside it, limits them, and closes while it drains.

pluggy's ``unregister`` does not wait for calls that run; leases taken here do. A lease is held
until the response body is closed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from plugin_sdk import Unavailable

__all__ = ["Gate", "GateClosed", "Postponed", "Slots"]

_WINDOW_SECONDS = 60.0
_MAX_QUEUE = 1000
_PAUSE_SECONDS = 30.0


class GateClosed(Unavailable):
    """The plugin instance behind this gate is going; a request asks the present catalog anew."""


class Postponed(BaseException):
    """The call waits in its gate's queue and will be made again. No Exception, so that nothing on
    its way out takes it for a failure."""


class Slots:
    """The worker threads that all plugins share, so that hanging plugins never take the last.

    A plugin may use ``per_plugin`` at once. The last ``reserve`` free slots go only to plugins
    that hold none, so a plugin that answers quickly still gets through beside several that hang.
    """

    def __init__(self, total: int, per_plugin: int, reserve: int) -> None:
        self.total = total
        self.per_plugin = per_plugin
        self.reserve = reserve
        self.used = 0
        self.lock = threading.Lock()


class Gate:
    """One plugin's gate. ``enter`` and ``leave`` bracket each call from outside."""

    __slots__ = (
        "_closed",
        "_failed_at",
        "_held",
        "_idle",
        "_inside",
        "_now",
        "_on_failures",
        "_paused",
        "_queue",
        "_recent",
        "_slots",
        "_waiting",
        "calls",
        "failures",
        "plugin_id",
        "quarantine_failures",
        "seconds",
    )

    def __init__(
        self,
        plugin_id: str,
        slots: Slots,
        *,
        quarantine_failures: int = 100,
        on_failures: Callable[[], object] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plugin_id = plugin_id
        self.quarantine_failures = quarantine_failures
        self.calls = 0
        self.failures = 0
        self.seconds = 0.0
        self._slots = slots
        self._inside = 0
        self._held = 0
        self._waiting = 0
        self._queue: deque[Callable[[], bool]] = deque()
        self._closed = False
        self._paused = False
        self._idle = threading.Condition(slots.lock)
        self._failed_at: deque[float] = deque()
        self._recent: deque[float] = deque(maxlen=4 * max(1, quarantine_failures))
        self._on_failures = on_failures
        self._now = now

    @property
    def closed(self) -> bool:
        """Whether the plugin drains or is gone."""
        return self._closed

    @property
    def leaving(self) -> bool:
        """Whether open sockets are to end: the plugin goes, or its code is being replaced."""
        return self._closed or self._paused

    @property
    def inside(self) -> int:
        """How many calls are inside right now."""
        return self._inside

    def enter(self, *, slot: bool = True, wake: Callable[[], bool] | None = None) -> None:
        """Takes a lease. Raises Unavailable with ``retry_after`` when the plugin is being
        switched off, or has all the calls at once that it may have; in that case, with ``wake``,
        Postponed: ``wake`` is called, once, when there may be room. It says whether the call will
        be made again; if not, the next one is woken.

        While an upgrade has paused the plugin, calls wait in the same way, those without ``wake``
        for 30 seconds here; they count as calls then, so that they never take the last thread.

        ``slot`` is False for calls that run on threads of their own (events, jobs, sockets)."""
        slots = self._slots
        with slots.lock:
            if self._closed:
                raise self._gone()
            if slot:
                self._take_slot(wake)
            if self._paused:
                try:
                    self._wait_for_decision()
                except Unavailable:
                    if slot:
                        self._return_slot()
                    raise
            self._inside += 1
            self.calls += 1

    def _take_slot(self, wake: Callable[[], bool] | None) -> None:
        slots = self._slots
        free = slots.total - slots.used
        full = self._held >= slots.per_plugin or (self._held and free <= slots.reserve)
        if wake is not None and (full or self._paused) and len(self._queue) < _MAX_QUEUE:
            self._queue.append(wake)
            raise Postponed
        if full:
            raise self._busy()
        self._held += 1
        slots.used += 1

    def _return_slot(self) -> None:
        self._held -= 1
        self._slots.used -= 1

    def _wait_for_decision(self) -> None:
        """Until the upgrade that paused the plugin has ended, in one way or the other."""
        if not self._idle.wait_for(lambda: self._closed or not self._paused, _PAUSE_SECONDS):
            raise self._busy()
        if self._closed:
            raise self._gone()

    def leave(self, *, slot: bool = True, failed: bool = False, seconds: float = 0.0) -> None:
        """Gives the lease back. ``failed``: the call ended in an exception nobody intended."""
        slots = self._slots
        tripped = False
        room = False
        with slots.lock:
            if slot:
                self._return_slot()
                room = bool(self._queue)
            self._inside -= 1
            self.seconds += seconds
            if self.quarantine_failures:
                tripped = self._note(failed)
            elif failed:
                self.failures += 1
            if self._inside == 0 and self._waiting:
                self._idle.notify_all()
        if room:
            self._wake_next()
        if tripped and self._on_failures is not None:
            self._on_failures()

    def _wake_next(self) -> None:
        """One that waits, past those that have given up."""
        woken = False
        while not woken:
            with self._slots.lock:
                if not self._queue:
                    return
                wake = self._queue.popleft()
            woken = wake()

    def _note(self, failed: bool) -> bool:
        now = self._now()
        self._recent.append(now)
        if not failed:
            return False
        self.failures += 1
        self._failed_at.append(now)
        while self._failed_at and self._failed_at[0] < now - _WINDOW_SECONDS:
            self._failed_at.popleft()
        while self._recent and self._recent[0] < now - _WINDOW_SECONDS:
            self._recent.popleft()
        failed_count = len(self._failed_at)
        return failed_count >= self.quarantine_failures and 2 * failed_count > len(self._recent)

    def give_slot(self) -> None:
        """The call goes on without a worker thread: others may have the slot."""
        with self._slots.lock:
            self._return_slot()
        self._wake_next()

    def close(self) -> None:
        """No call enters any more."""
        with self._slots.lock:
            self._closed = True
        self._decide()

    def pause(self) -> None:
        """Calls wait at the gate until `resume`."""
        with self._slots.lock:
            self._paused = True

    def resume(self) -> None:
        with self._slots.lock:
            self._paused = False
        self._decide()

    def _decide(self) -> None:
        """Has everybody who waits look again."""
        with self._slots.lock:
            self._idle.notify_all()
            waiting = list(self._queue)
            self._queue.clear()
        for wake in waiting:
            wake()

    def wait_idle(self, timeout: float) -> bool:
        """Waits until nobody is inside; False when ``timeout`` seconds did not suffice."""
        deadline = time.monotonic() + timeout
        with self._slots.lock:
            self._waiting += 1
            try:
                while self._inside:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._idle.wait(left)
            finally:
                self._waiting -= 1
        return True

    @staticmethod
    def _gone() -> GateClosed:
        return GateClosed("This plugin is being switched off.", retry_after=1)

    def _busy(self) -> Unavailable:
        return Unavailable(
            f"Plugin {self.plugin_id} has as many calls at once as it may have.", retry_after=1
        )
