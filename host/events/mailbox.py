"""Mailboxes: each owner of subscriptions has one, with a thread of its own while it has mail.

So an owner that is slow or hangs costs nobody else. What does not fit stays in the outbox and is
read again later: the memory of a mailbox is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from host.events.outbox import Letter

__all__ = ["Lane", "Mailbox"]

MAX_LETTERS: Final = 256
MAX_SIZE: Final = 1024 * 1024
IDLE_SECONDS: Final = 10.0


class Lane:
    """How far one owner is with the events of one emitter. Positions are those of the outbox."""

    __slots__ = ("done", "fed", "mailbox", "queued", "source")

    def __init__(self, source: str, mailbox: Mailbox, front: int) -> None:
        self.source = source
        self.mailbox = mailbox
        self.fed = front
        """Everything up to here was put into the mailbox or does not concern the owner."""
        self.done = front
        self.queued = 0

    @property
    def handled(self) -> int:
        """Everything up to here is done with."""
        return self.done if self.queued else self.fed


class Mailbox:
    """``lock`` is the bus's own and guards all fields; `put`, `close` are called with it held.

    ``deliver`` runs without the lock, must not raise, and says whether the letter was handled;
    ``taken`` and ``handled`` are called with the lock held.
    """

    def __init__(
        self,
        owner: str,
        lock: threading.Lock,
        deliver: Callable[[str, Lane, Letter], bool],
        taken: Callable[[Mailbox], object],
        handled: Callable[[Lane], object],
    ) -> None:
        self.owner = owner
        self.starved: set[str] = set()
        """Emitters with mail for this box that found it full."""
        self.current: tuple[Lane, Letter] | None = None
        self.since = 0.0
        self.reported = False
        self._lock = lock
        self._deliver = deliver
        self._taken = taken
        self._handled = handled
        self._mail: deque[tuple[Lane, Letter]] = deque()
        self._size = 0
        self._closed = False
        self._wake = threading.Condition(lock)
        self.thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._mail)

    @property
    def has_room(self) -> bool:
        return len(self._mail) < MAX_LETTERS and self._size < MAX_SIZE

    @property
    def half_empty(self) -> bool:
        return len(self._mail) <= MAX_LETTERS // 2 and self._size <= MAX_SIZE // 2

    def put(self, lane: Lane, letter: Letter) -> None:
        """Appends a letter; starts the thread when there is none."""
        self._mail.append((lane, letter))
        self._size += letter.size
        lane.queued += 1
        if self.thread is None:
            name = f"stagebox-events-{self.owner}"
            # A daemon: a handler that hangs must not keep the process from ending.
            self.thread = threading.Thread(target=self._run, name=name, daemon=True)
            self.thread.start()
        else:
            self._wake.notify()

    def close(self) -> None:
        """Throws the mail away (it is still in the outbox, or concerns nobody any more) and ends
        the thread after the handler that runs."""
        self._closed = True
        self._mail.clear()
        self._size = 0
        self.starved.clear()
        self._wake.notify_all()

    def stuck_for(self, now: float) -> float:
        """Seconds that the present handler has been running; 0 without one."""
        return now - self.since if self.current is not None else 0.0

    def _run(self) -> None:
        while (mail := self._next()) is not None:
            done = self._deliver(self.owner, *mail)
            with self._lock:
                lane, letter = mail
                self.current = None
                self.reported = False
                if not done:
                    continue
                lane.queued -= 1
                lane.done = letter.position
                self._handled(lane)

    def _next(self) -> tuple[Lane, Letter] | None:
        with self._lock:
            self._wake.wait_for(lambda: self._mail or self._closed, timeout=IDLE_SECONDS)
            if not self._mail:
                self.thread = None
                return None
            mail = self._mail.popleft()
            self._size -= mail[1].size
            self.current = mail
            self.since = time.monotonic()
            self._taken(self)
            return mail
