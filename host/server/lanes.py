"""Callback threads shared by all WebSocket routes, so that no route takes all of them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from host.server.workers import Task, Workers

__all__ = ["Lanes"]


@dataclass(slots=True)
class _Lane:
    active: int = 0
    waiting: deque[Task] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class _Turn:
    lanes: Lanes
    lane: str
    task: Task

    def service(self) -> None:
        try:
            self.task.service()
        finally:
            self.lanes._finished(self.lane)


class Lanes:
    """Passes tasks to workers, at most ``width`` of a lane at once; the rest wait in order."""

    def __init__(self, workers: Workers, width: int) -> None:
        self._workers = workers
        self._width = width
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def submit(self, lane: str, task: Task) -> None:
        """Has ``task.service()`` called when it is its turn. Never blocks."""
        with self._lock:
            row = self._lanes.setdefault(lane, _Lane())
            if row.active >= self._width:
                row.waiting.append(task)
                return
            row.active += 1
        self._workers.add_task(_Turn(self, lane, task))

    def _finished(self, lane: str) -> None:
        with self._lock:
            row = self._lanes[lane]
            if not row.waiting:
                row.active -= 1
                if not row.active:
                    del self._lanes[lane]
                return
            task = row.waiting.popleft()
        # at the end of the queue, so that a busy lane gives way to the others
        self._workers.add_task(_Turn(self, lane, task))
