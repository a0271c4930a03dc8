"""Following what other processes on the same database changed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from host.db import HostDatabase
from plugin_sdk import Logger

__all__ = ["Watch"]


class Watch:
    """A thread that looks a few times a second whether the database was changed, and a clock.

    ``changed`` is called after any commit (also of this process): it must be cheap when nothing
    that matters is different. ``beat`` is called every ``beat_interval`` seconds."""

    def __init__(
        self,
        database: HostDatabase,
        changed: Callable[[], object],
        beat: Callable[[], object],
        log: Logger,
        *,
        interval: float = 0.25,
        beat_interval: float = 1.0,
    ) -> None:
        self._db = database
        self._changed = changed
        self._beat = beat
        self._log = log
        self._interval = interval
        self._beat_every = max(1, round(beat_interval / interval))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        seen = -1
        rounds = 0
        reported = False
        while not self._stop.wait(self._interval):
            rounds += 1
            try:
                if rounds % self._beat_every == 0:
                    self._beat()
                counter = self._db.change_counter()
                if counter != seen:
                    self._changed()
                    seen = counter  # last: what failed is tried again
                reported = False
            except Exception as error:  # a database that is away for a while: try again
                if not reported:
                    self._log.error("Looking for changes failed; trying again.", exc_info=error)
                reported = True
