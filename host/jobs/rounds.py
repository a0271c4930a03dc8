"""A thread that goes its round: the same steps again and again, each fenced from the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from plugin_sdk import Logger

__all__ = ["Round"]


class Round:
    """Calls ``steps`` every ``period`` seconds, and at once after `wake`. A step that raises is
    logged, once until it works again, and harms no other step."""

    def __init__(
        self, name: str, period: float, steps: Mapping[str, Callable[[], object]], log: Logger
    ) -> None:
        self._name = name
        self._period = period
        self._steps = steps
        self._log = log
        self._failing: set[str] = set()
        self._woken = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._ended = False
        name = f"stagebox-{self._name}"
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """Ends after the step that runs."""
        self._ended = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while True:
            self._woken.clear()
            if self._ended:  # looked at behind the clearing: else a stop could be missed
                return
            for name, step in self._steps.items():
                self._take(name, step)
            self._woken.wait(self._period)

    def _take(self, name: str, step: Callable[[], object]) -> None:
        if self._ended:
            return
        try:
            step()
        except Exception:
            if name not in self._failing:
                self._failing.add(name)
                self._log.exception("%s: could not %s; trying again.", self._name, name)
        else:
            self._failing.discard(name)
