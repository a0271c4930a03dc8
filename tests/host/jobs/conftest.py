"""Job services on a real engine, with a clock that tests move."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.clock import SystemClock
from host.db import Engine
from host.jobs import JobKind, JobService
from plugin_sdk import Job, JobInfo, JobRun

LOG = logging.getLogger("stagebox.test.jobs")


class MovedClock(SystemClock):
    """The system's clock, some seconds ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def ms(self) -> int:
        return super().ms() + round(self.ahead * 1000)


class Hanging:
    """A job that does nothing until it is let go, or told to stop; it counts itself."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.runs: list[JobRun] = []
        self.deaf = False

    def __call__(self, run: JobRun) -> str:
        with self.lock:
            self.runs.append(run)
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            while not self.go.wait(0.002):
                if not self.deaf and run.cancelled:
                    return "stopped"
            return "done"
        finally:
            with self.lock:
                self.inside -= 1


def declared(plugin_id: str, name: str, call: Callable[[JobRun], Any], **words: Any) -> JobKind:
    return JobKind(plugin_id, Job(name, call, **words), call)


@pytest.fixture
def kind() -> Callable[..., JobKind]:
    return declared


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def make_service(engine: Engine, clock: MovedClock) -> Iterator[Callable[..., JobService]]:
    made: list[JobService] = []

    def make(*kinds: JobKind, start: bool = True, **options: Any) -> JobService:
        options.setdefault("poll_seconds", 0.02)
        service = JobService(engine.open("host"), clock, LOG, **options)
        made.append(service)
        service.declare(kinds)
        if start:
            service.start()
        return service

    yield make
    for service in made:
        service.stop(60)


@pytest.fixture
def hanging() -> Iterator[Callable[[], Hanging]]:
    made: list[Hanging] = []

    def make() -> Hanging:
        made.append(Hanging())
        return made[-1]

    yield make
    for one in made:
        one.go.set()


@pytest.fixture
def finished() -> Callable[[JobService, str], JobInfo]:
    """Waits for the end of a job."""

    def wait(service: JobService, job_id: str) -> JobInfo:
        info = service.wait(job_id, 60)
        assert info.finished, info
        return info

    return wait
