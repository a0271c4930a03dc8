"""A database that ends in the wrong moment: no job stays with a process that does not run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from host.jobs import JobService
from host.jobs.store import JobStore
from plugin_sdk import DatabaseUnavailable, JobInfo

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Finished = Callable[[JobService, str], JobInfo]


def _gone(*_arguments: Any, **_options: Any) -> Any:
    raise DatabaseUnavailable("The connection ended.", retry_after=1)


def _once(monkeypatch: pytest.MonkeyPatch, name: str, *, done: bool) -> list[str]:
    """The next call ends in an outage, after it was done or before; the list is then empty."""
    waiting, call = [name], getattr(JobStore, name)

    def calling(*arguments: Any, **options: Any) -> Any:
        if not waiting:
            return call(*arguments, **options)
        if done:
            call(*arguments, **options)
        waiting.clear()
        return _gone()

    monkeypatch.setattr(JobStore, name, calling)
    return waiting


def test_a_claim_of_which_nobody_heard(
    make_service: Make, kind: Kind, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(kind("songs", "add", lambda run: run.attempt), start=False)
    waiting = _once(monkeypatch, "claim", done=True)
    job = service.of("songs").start("add")
    service.start()
    info = finished(service, job.id)
    assert waiting == []
    assert (info.state, info.result) == ("succeeded", 2)


def test_a_job_of_which_nobody_could_be_told(
    make_service: Make, kind: Kind, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(kind("songs", "add", lambda run: run.attempt), start=False)
    service.on_change = lambda info: None
    job = service.of("songs").start("add")
    with monkeypatch.context() as patch:
        waiting = _once(patch, "get", done=False)
        service.start()
        while waiting:
            service._news.acquire()
            service._news.wait(0.01)
            service._news.release()
    info = finished(service, job.id)
    assert (info.state, info.result) == ("succeeded", 1)


def test_one_that_hangs_and_could_not_be_given_back(
    make_service: Make,
    kind: Kind,
    hanging: Any,
    eventually: Callable[..., None],
    finished: Finished,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaf = hanging()
    deaf.deaf = True
    service = make_service(kind("songs", "add", deaf))
    job = service.of("songs").start("add")
    eventually(lambda: deaf.runs)
    waiting = _once(monkeypatch, "requeue", done=False)
    assert not service.interrupt("songs", 0.05)
    assert waiting == []
    deaf.go.set()
    service.resume("songs")
    assert finished(service, job.id).attempt == 2


def test_one_that_gave_way_to_a_stop_while_the_database_was_away(
    make_service: Make,
    kind: Kind,
    hanging: Any,
    eventually: Callable[..., None],
    finished: Finished,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = hanging()
    service = make_service(kind("songs", "add", work))
    job = service.of("songs").start("add")
    eventually(lambda: work.runs)
    waiting = _once(monkeypatch, "requeue", done=False)
    service.stop(60)
    assert waiting == []
    assert service.get(job.id).state == "running"
    work.go.set()
    service.start()
    assert finished(service, job.id).attempt == 2
