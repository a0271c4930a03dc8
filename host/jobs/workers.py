"""Worker threads: made when there is work, ended when there has been none for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from plugin_sdk import Logger

__all__ = ["Workers"]

IDLE_SECONDS: Final = 10.0


class Workers:
    """At most ``size`` threads, each of which calls ``work()`` until it returns False (there is
    nothing to do), then sleeps until `wake`."""

    def __init__(self, size: int, work: Callable[[], bool], log: Logger) -> None:
        self._size = size
        self._work = work
        self._log = log
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._calls = 0
        self._made = 0
        self._open = False

    def start(self) -> None:
        with self._lock:
            self._open = True

    def wake(self) -> None:
        """There is work: has an idle worker look, or a new one."""
        with self._lock:
            if not self._open:
                return
            self._calls += 1  # so that one who just found nothing looks again
            if self._idle:
                self._change.notify()
            elif len(self._threads) < self._size:
                self._made += 1
                name = f"stagebox-jobs-{self._made}"
                # A daemon: a job that hangs must not keep the process from ending.
                thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._threads.add(thread)
                thread.start()

    def abandon(self, thread: threading.Thread) -> None:
        """Counts a thread no more: it hangs in its work, and ends if it ever comes out."""
        with self._lock:
            self._threads.discard(thread)

    def close(self) -> None:
        """No work is begun any more."""
        with self._lock:
            self._open = False
            self._change.notify_all()

    def join(self, timeout: float) -> bool:
        """After `close`: waits until all have ended; False when ``timeout`` did not suffice."""
        deadline = time.monotonic() + timeout
        with self._lock:
            threads = [one for one in self._threads if one is not threading.current_thread()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _loop(self) -> None:
        while True:
            with self._lock:
                calls = self._calls
            try:
                busy = self._open and self._work()
            except Exception:
                self._log.exception("A worker could not take a job; it goes on.")
                busy = False
            if not self._goes_on(busy, calls):
                return

    def _goes_on(self, busy: bool, calls: int) -> bool:
        thread = threading.current_thread()
        with self._lock:
            if self._open and thread in self._threads:
                if busy:
                    return True
                self._idle += 1
                called = self._change.wait_for(
                    lambda: calls != self._calls or not self._open, timeout=IDLE_SECONDS
                )
                self._idle -= 1
                if called and self._open:
                    return True
            self._threads.discard(thread)
        return False
