"""Recovery: the events that a dead process left in the outboxes are told by a living one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from host.db.engine import HostDatabase
from host.events.bus import EventBus
from plugin_sdk import Logger

__all__ = ["Recovery"]

_AGAIN_SECONDS: Final = 2.0


class Recovery:
    """Looks through all outboxes when another process was found dead, on a thread of its own: a
    plugin that keeps its database busy must delay nothing else. ``sources`` gives the emitters
    that are at work here, with their databases. What cannot be looked at is tried again."""

    def __init__(
        self, bus: EventBus, sources: Callable[[], Iterable[tuple[str, HostDatabase]]], log: Logger
    ) -> None:
        self._bus = bus
        self._sources = sources
        self._log = log
        self._change = threading.Condition()
        self._wanted = False
        self._ended = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Another process is dead."""
        with self._change:
            self._wanted = True
            self._change.notify_all()
            if self._thread is None and not self._ended:
                name = "stagebox-events-recovery"
                self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._thread.start()

    def stop(self, timeout: float) -> None:
        with self._change:
            self._ended = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        reported = False
        while self._next():
            try:
                for source, database in self._sources():
                    self._bus.recover(source, database, others=True)
                reported = False
            except Exception as error:
                if not reported:
                    self._log.error("Could not look for events of a dead process.", exc_info=error)
                reported = True
                with self._change:
                    self._wanted = True
                    self._change.wait_for(lambda: self._ended, _AGAIN_SECONDS)

    def _next(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._wanted or self._ended)
            self._wanted = False
            return not self._ended
