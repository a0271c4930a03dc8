"""A fixed number of threads that carry out tasks."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, Protocol

from plugin_sdk.context import Logger

__all__ = ["PATIENCE_SECONDS", "Task", "Workers"]

PATIENCE_SECONDS: Final = 0.001
"""So long a task that was left may lie until it is asked why."""

_LONGEST_SECONDS: Final = 0.01
_BUSY: Final = 0.85
"""From this share of one processor on, further threads would only take turns with the others."""


class Task(Protocol):
    """Something to be carried out once."""

    def service(self) -> None: ...


class _Seat:
    """Where one thread sleeps. Guarded by the workers' lock, apart from the sleep itself."""

    __slots__ = ("awake", "bell", "long")

    def __init__(self) -> None:
        self.awake = True
        self.long = False
        """What it carries out takes so long that others should not wait for it."""
        self.bell = threading.Lock()
        self.bell.acquire()


class Workers:
    """Threads over one queue; takes the place of waitress' task dispatcher.

    Threads of one process hold each other up: they share the interpreter lock, and to pass it on
    costs more than a short task takes. So as few as possible are awake. The one that fell asleep
    last is woken first, and a task that is left (`leave`) waits for a thread that is awake. More
    are woken as soon as that does not help: when no task has begun for a millisecond, when the
    process leaves the processor idle meanwhile, or when tasks have been waiting for 10 ms. Small
    answers became 1.3 to 1.5 times as many a second by that with 4 connections, and 1.5 to 2
    times as many with 64; of calls that sleep for 2 ms there are a tenth more or less.

    Threads are daemons: a call that hangs for ever must not keep the process from ending.
    """

    def __init__(self, name: str, count: int, log: Logger) -> None:
        self._name = name
        self._count = count
        self._log = log
        self._lock = threading.Lock()
        self._tasks: deque[Task] = deque()
        self._seats: list[_Seat] = []
        self._sleeping: list[_Seat] = []
        self._short = 0  # how many are awake and not known to be at something long
        self._begun = 0
        self._seen = (0.0, 0.0, 0)  # by `attend`: time, processor time, tasks begun
        self._behind_since = 0.0
        self._ends = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads; a second call changes nothing."""
        self._ends = False
        while len(self._threads) < self._count:
            number = len(self._threads) + 1
            seat = _Seat()
            self._seats.append(seat)
            with self._lock:
                self._short += 1
            thread = threading.Thread(
                target=self._work, args=(seat,), name=f"{self._name}-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def add_task(self, task: Task) -> None:
        """Has ``task.service()`` called by the next free thread; never blocks."""
        with self._lock:
            self._tasks.append(task)
            seat = self._rouse()
        if seat is not None:
            seat.bell.release()

    def leave(self, task: Task) -> None:
        """The same, but while a thread is awake that will be free in a moment it is left to that
        one. For a caller that calls `attend` every millisecond while `behind`, and for a task of
        these threads themselves, which are about to be free."""
        with self._lock:
            self._tasks.append(task)
            seat = None if self._short else self._rouse()
        if seat is not None:
            seat.bell.release()

    @property
    def behind(self) -> bool:
        """Whether tasks wait."""
        return bool(self._tasks)

    def attend(self) -> None:
        """Wakes a further thread when those that are awake do not get on with what waits."""
        if not self._tasks or not self._sleeping:
            self._behind_since = 0.0
            return
        now = time.monotonic()
        first = not self._behind_since
        if first:
            self._behind_since = now
        elif now - self._seen[0] < PATIENCE_SECONDS:
            return
        since, used, begun = self._seen
        cpu = time.process_time()
        self._seen = (now, cpu, self._begun)
        stuck = begun == self._begun
        idle = cpu - used < _BUSY * (now - since)
        late = now - self._behind_since > _LONGEST_SECONDS
        if not first and (stuck or idle or late):
            self._wake_one(stuck)

    def _wake_one(self, stuck: bool) -> None:
        with self._lock:
            if stuck:
                self._note_long()
            seat = self._rouse()
        if seat is not None:
            seat.bell.release()

    def stop(self, timeout: float) -> bool:
        """Lets the threads finish what is queued and end; False when some still run after
        ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        with self._lock:
            self._ends = True
            sleeping, self._sleeping = self._sleeping, []
        for seat in sleeping:
            seat.bell.release()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    # ---- with the lock held

    def _rouse(self) -> _Seat | None:
        """The one to wake, which counts as awake from now on."""
        if not self._sleeping:
            return None
        seat = self._sleeping.pop()
        seat.awake = True
        self._short += 1
        return seat

    def _note_long(self) -> None:
        for seat in self._seats:
            if seat.awake and not seat.long:
                seat.long = True
                self._short -= 1

    def _next(self, seat: _Seat) -> Task | None:
        if seat.long:
            seat.long = False
            self._short += 1
        if self._tasks:
            self._begun += 1
            return self._tasks.popleft()
        seat.awake = False
        self._short -= 1
        if not self._ends:
            self._sleeping.append(seat)
        return None

    # ---- the threads

    def _work(self, seat: _Seat) -> None:
        while True:
            with self._lock:
                task = self._next(seat)
                ends = self._ends
            if task is None:
                if ends:
                    return
                seat.bell.acquire()
                continue
            try:
                task.service()
            except BaseException:  # a task fences its own; whatever gets out must not end us
                self._log.exception("A task of %s failed: %r", self._name, task)
            task = None  # do not keep the last one alive while waiting for the next
