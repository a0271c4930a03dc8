"""The sweeper: removes handled rows, many in one transaction, and notices handlers that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from host.events.channel import Channel
from host.events.mailbox import Mailbox
from plugin_sdk import Logger

__all__ = ["Sweeper"]

SWEEP_SECONDS: Final = 0.2
"""Handled rows are collected for so long: one transaction removes them all."""
MAX_RETRIES: Final = 7
_NEVER: Final = float("inf")


class Sweeper:
    """A thread beside the pump: deleting may wait for a plugin's long transaction, and then must
    not delay any event. ``lock`` is the bus's own."""

    def __init__(
        self,
        lock: threading.Lock,
        log: Logger,
        stuck_seconds: float,
        mailboxes: Callable[[], Iterable[Mailbox]],
    ) -> None:
        self.stuck_seconds = stuck_seconds
        self.thread: threading.Thread | None = None
        self._lock = lock
        self._log = log
        self._mailboxes = mailboxes
        self._wake = threading.Condition(lock)
        self._due: dict[Channel, float] = {}
        self._check_at = _NEVER
        self._sleeps_until = _NEVER
        self._running = False

    # -- called with the lock held

    def start(self) -> None:
        self._running = True
        name = "stagebox-events-sweeper"
        self.thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self._running = False
        self._wake.notify_all()

    def plan(self, channel: Channel, delay: float = SWEEP_SECONDS) -> None:
        """Sweeps a channel soon."""
        if self._running and channel not in self._due:
            self._due[channel] = time.monotonic() + delay
            self._not_later_than(self._due[channel])

    def drop(self, channel: Channel) -> None:
        self._due.pop(channel, None)

    def watch(self) -> None:
        """There is new mail: see to it that its handlers come to an end."""
        if self._check_at == _NEVER:
            self._check_at = time.monotonic() + self.stuck_seconds
            self._not_later_than(self._check_at)

    def _not_later_than(self, at: float) -> None:
        if at < self._sleeps_until:
            self._sleeps_until = at
            self._wake.notify()

    # -- called without it

    def sweep(self, channel: Channel) -> None:
        """Removes what everybody has handled. When the database does not let us, that is logged
        and tried again a few times; then the next event will bring us back."""
        with self._lock:
            outbox, upto = channel.outbox, channel.handled
            if upto <= channel.swept:
                return
        try:
            # From the base, not from what was swept: a copy that was restored has rows again.
            outbox.delete(channel.base, upto)
        except Exception:
            with self._lock:
                delay = channel.failed("clear")
                if channel.failures["clear"] <= MAX_RETRIES:
                    self.plan(channel, delay)
            if channel.failures["clear"] == 1:
                self._log.exception("Could not clear the outbox of %s.", channel.source)
            return
        with self._lock:
            channel.failures["clear"] = 0
            if channel.outbox is outbox:
                channel.swept = max(channel.swept, upto)

    def _loop(self) -> None:
        while (work := self._next()) is not None:
            channels, stuck = work
            for owner, event, source, seconds in stuck:
                self._log.warning(
                    "Plugin %s has been handling event %s of %s for %.0f seconds; its other "
                    "events wait for that.",
                    *(owner, event, source, seconds),
                )
            for channel in channels:
                self.sweep(channel)

    def _next(self) -> tuple[list[Channel], list[tuple[str, str, str, float]]] | None:
        with self._lock:
            while self._running:
                now = time.monotonic()
                stuck = self._stuck(now) if self._check_at <= now else []
                ready = [channel for channel, at in self._due.items() if at <= now]
                for channel in ready:
                    del self._due[channel]
                if ready or stuck:
                    return ready, stuck
                until = min([*self._due.values(), self._check_at])
                self._sleeps_until = until
                self._wake.wait(None if until == _NEVER else until - now)
                self._sleeps_until = 0.0  # awake: nobody needs to wake us
        return None

    def _stuck(self, now: float) -> list[tuple[str, str, str, float]]:
        """Owners to be named now; plans the next look."""
        self._check_at = _NEVER
        found = []
        for box in self._mailboxes():
            if box.current is None:
                if len(box):
                    self._check_at = min(self._check_at, now + self.stuck_seconds)
                continue
            seconds = box.stuck_for(now)
            if seconds < self.stuck_seconds:
                self._check_at = min(self._check_at, box.since + self.stuck_seconds)
            elif not box.reported:
                box.reported = True
                lane, letter = box.current
                found.append((box.owner, letter.name, lane.source, seconds))
        return found
