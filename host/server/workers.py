"""A fixed number of threads that carry out tasks."""

from __future__ import annotations

import queue
import threading
import time
from typing import Protocol

from plugin_sdk.context import Logger

__all__ = ["Task", "Workers"]


class Task(Protocol):
    """Something to be carried out once."""

    def service(self) -> None: ...


class Workers:
    """Threads over one queue; takes the place of waitress' task dispatcher.

    A SimpleQueue wakes one thread for one task and no more, without a lock in Python. Threads are
    daemons: a call that hangs for ever must not keep the process from ending.
    """

    def __init__(self, name: str, count: int, log: Logger) -> None:
        self._name = name
        self._count = count
        self._log = log
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the threads; a second call changes nothing."""
        while len(self._threads) < self._count:
            number = len(self._threads) + 1
            thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def add_task(self, task: Task) -> None:
        """Has ``task.service()`` called by the next free thread; never blocks."""
        self._tasks.put(task)

    def stop(self, timeout: float) -> bool:
        """Lets the threads finish what is queued and end; False when some still run after
        ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task.service()
            except BaseException:  # a task fences its own; whatever gets out must not end us
                self._log.exception("A task of %s failed: %r", self._name, task)
            task = None  # do not keep the last one alive while waiting for the next
