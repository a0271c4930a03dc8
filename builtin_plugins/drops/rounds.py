"""Rounds: asking all boxes, several at a time, one round after the other (contract, 7.2, rule 8).

A caller gets a round that began after it came, so that what lay in a box before is in its answer.
Nobody waits longer than a box may take, plus a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from builtin_plugins.drops.directory import Box, Directory
from builtin_plugins.drops.drop_urls import host_of
from builtin_plugins.drops.fetching import BoxFailed
from plugin_sdk import Clock, Logger, Settings, Unavailable

__all__ = ["Outcome", "Polling", "Rounds"]

_GRACE: Final = 1.0
_SLICE: Final = 0.25
_CLOSE_SECONDS: Final = 1.0


class Polling(Protocol):
    """What a round does."""

    def boxes(self) -> tuple[Directory, Sequence[Box]]: ...
    def poll(self, directory: Directory, box: Box) -> int:
        """How many new messages; raises BoxFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failed``: boxes that gave no usable answer in time; ``began_ms`` since the epoch."""

    boxes: int
    answered: int
    failed: int
    received: int
    began_ms: int


@dataclass(slots=True)
class _Round:
    began_ms: int
    boxes: int = 0
    pending: set[str] = field(default_factory=set)
    answered: int = 0
    failed: int = 0
    received: int = 0

    def outcome(self) -> Outcome:
        failed = self.failed + len(self.pending)
        return Outcome(self.boxes, self.answered, failed, self.received, self.began_ms)


class Rounds:
    """One for the whole plugin. Close it when the plugin is switched off."""

    def __init__(self, polling: Polling, settings: Settings, clock: Clock, log: Logger) -> None:
        self._polling = polling
        self._settings = settings
        self._clock = clock
        self._log = log
        self._news = threading.Condition()
        self._begun = 0
        self._running: _Round | None = None
        self._latest: _Round | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        self._closed = False
        self._failing: set[str] = set()

    def run(self, stop: Callable[[], bool] = lambda: False) -> Outcome:
        """A round that begins now or after the running one. What has not answered when the time
        is over counts as failed; its messages come with a later call. ``stop`` ends the waiting.
        Raises Unavailable when the plugin is being switched off."""
        deadline = time.monotonic() + self._settings["boxTimeoutSeconds"] + _GRACE
        with self._news:
            came = self._begun
            while self._begun == came:
                if self._running is None:
                    self._begin()
                elif not self._wait(deadline, stop):
                    return self._running.outcome()
            mine = self._latest
            assert mine is not None
            while mine.pending and self._wait(deadline, stop):
                pass
            return mine.outcome()

    def so_far(self) -> Outcome:
        """How the latest round stands, for somebody who does not wait: what has not answered
        counts as failed. Raises Unavailable when the plugin is being switched off."""
        with self._news:
            if self._latest is None:
                self._begin()
            assert self._latest is not None
            return self._latest.outcome()

    def close(self) -> None:
        """No round begins any more; waits a moment for the one that runs."""
        with self._news:
            self._closed = True
            self._news.notify_all()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + _CLOSE_SECONDS
        with self._news:
            while self._running is not None and time.monotonic() < end:
                self._news.wait(_SLICE)

    def _wait(self, deadline: float, stop: Callable[[], bool]) -> bool:
        left = deadline - time.monotonic()
        if self._closed or left <= 0 or stop():
            return False
        self._news.wait(min(left, _SLICE))
        return True

    def _begin(self) -> None:
        if self._closed:
            raise Unavailable("Drops is being switched off.", retry_after=1)
        started = _Round(self._clock.ms())
        directory, boxes = self._polling.boxes()
        started.boxes = len(boxes)
        started.pending = {box.url for box in boxes}
        self._failing &= started.pending  # others are not read any more
        self._begun += 1
        self._latest = started
        if boxes:
            self._running = started
            pool = self._ready()
            # What answered last time goes first, so that dead servers delay nobody for long.
            for box in sorted(boxes, key=lambda each: each.url in self._failing):
                pool.submit(self._poll, started, directory, box)

    def _ready(self) -> ThreadPoolExecutor:
        size: int = self._settings["maxParallelBoxes"]
        if self._pool is None or self._pool_size != size:
            if self._pool is not None:
                self._pool.shutdown(wait=False)
            self._pool = ThreadPoolExecutor(size, thread_name_prefix="drops-poll")
            self._pool_size = size
        return self._pool

    def _poll(self, current: _Round, directory: Directory, box: Box) -> None:
        received: int | None = None
        try:
            if not self._closed:
                received = self._polling.poll(directory, box)
        except BoxFailed as error:
            self._note_failure(box, str(error))
        except Exception:
            if not self._closed:
                self._log.exception("A box at %s could not be read.", host_of(box.url))
        with self._news:
            current.pending.discard(box.url)
            if received is None:
                current.failed += 1
            else:
                current.answered += 1
                current.received += received
                self._failing.discard(box.url)
            if not current.pending or self._closed:
                self._running = None
            self._news.notify_all()

    def _note_failure(self, box: Box, reason: str) -> None:
        """Told once, until the box works again."""
        with self._news:
            known = box.url in self._failing
            self._failing.add(box.url)
        if not known and not self._closed:
            self._log.warning("A box at %s failed: %s", host_of(box.url), reason)
