"""Requests that wait for a place inside their plugin, on no thread.

A plugin may have so many calls at once. A request beyond that gives its worker back, is carried out
anew when a call has ended, and is refused (503) only when that takes too long.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final, Protocol

__all__ = ["LONGEST_WAIT_SECONDS", "WAKE", "Ticket", "Waiting"]

WAKE: Final = "stagebox.wake"
"""Where the WSGI environment holds what has the request carried out again."""

LONGEST_WAIT_SECONDS: Final = 10.0


class Again(Protocol):
    """A connection whose first request can be carried out again."""

    def again(self) -> None: ...


class Ticket:
    """One request that may have to wait. Who wakes it first, wakes it; any thread may."""

    __slots__ = ("_channel", "_lock", "_state", "late", "memo", "since")

    def __init__(self, channel: Again) -> None:
        self.since = time.monotonic()
        self.late = False
        """It has waited long enough: this time it gets an answer, whatever that is."""
        self.memo: dict[str, Any] = {}
        """What was found out about it the first time."""
        self._channel = channel
        self._lock = threading.Lock()
        self._state = "running"

    def wake(self) -> bool:
        """There may be room now. False for one that is answered without it."""
        with self._lock:
            queued, self._state = self._state == "queued", "woken"
        if queued:
            self._channel.again()
        return not self.late

    def begin(self) -> None:
        """A worker carries the request out, perhaps not for the first time."""
        with self._lock:
            self._state = "running"

    def queue(self) -> bool:
        """The request was postponed; False when it was woken meanwhile."""
        with self._lock:
            woken = self._state == "woken"
            self._state = "running" if woken else "queued"
        return not woken


class Waiting:
    """All requests of one server that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: set[Ticket] = set()

    def add(self, ticket: Ticket) -> None:
        with self._lock:
            self._tickets.add(ticket)

    def discard(self, ticket: Ticket) -> None:
        with self._lock:
            self._tickets.discard(ticket)

    def check(self, now: float, *, all: bool = False) -> None:
        """Wakes those that have waited long enough, to be answered now."""
        with self._lock:
            since = now if all else now - LONGEST_WAIT_SECONDS
            late = [ticket for ticket in self._tickets if ticket.since <= since]
            self._tickets.difference_update(late)
        for ticket in late:
            ticket.late = True
            ticket.wake()
