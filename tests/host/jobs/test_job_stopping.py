"""Cancelling, switching plugins off, stopping the host."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.jobs import JobService
from plugin_sdk import Conflict, Invalid, JobInfo, JobRun, NotFound, Unavailable

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], None]
Finished = Callable[[JobService, str], JobInfo]


def test_cancel_one_that_waits(make_service: Make, kind: Kind) -> None:
    service = make_service(kind("a", "x", print), start=False)
    jobs = service.of("a")
    job = jobs.start("x", key="k")
    assert jobs.cancel(job.id)
    info = jobs.get(job.id)
    assert (info.state, info.attempt, info.cancel_requested) == ("cancelled", 0, True)
    assert info.finished_at is not None
    assert not jobs.cancel(job.id), "it is over"
    assert jobs.start("x", key="k").id != job.id
    with pytest.raises(NotFound):
        service.cancel("no such job")


def test_cancel_one_that_runs(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    service = make_service(kind("a", "x", work))
    job = service.of("a").start("x")
    eventually(lambda: work.inside)
    assert service.of("a").cancel(job.id)
    info = finished(service, job.id)
    assert (info.state, info.result, info.cancel_requested) == ("cancelled", "stopped", True)
    assert not service.cancel(job.id)


def test_sleep_ends_at_once_when_told(
    make_service: Make, kind: Kind, eventually: Eventually, finished: Finished
) -> None:
    answers: list[bool] = []
    asleep = threading.Event()

    def work(run: JobRun) -> None:
        answers.append(run.sleep(0))
        asleep.set()
        answers.append(run.sleep(3600))
        raise RuntimeError("interrupted")

    service = make_service(kind("a", "x", work, attempts=5))
    job = service.of("a").start("x")
    assert asleep.wait(60)
    service.cancel(job.id)
    info = finished(service, job.id)
    assert answers == [True, False]
    assert (info.state, info.error, info.attempt) == ("cancelled", None, 1)


def test_who_finished_without_seeing_the_cancel_has_succeeded(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    work.deaf = True
    service = make_service(kind("a", "x", work))
    job = service.of("a").start("x")
    eventually(lambda: work.inside)
    service.cancel(job.id)
    work.go.set()
    info = finished(service, job.id)
    assert (info.state, info.result, info.cancel_requested) == ("succeeded", "done", True)


def test_no_further_attempt_after_a_cancel(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    work.deaf = True

    def fail(run: JobRun) -> None:
        work(run)
        raise ValueError("no luck")

    service = make_service(kind("a", "x", fail, attempts=5), backoff_seconds=0)
    job = service.of("a").start("x")
    eventually(lambda: work.inside)
    service.cancel(job.id)
    work.go.set()
    info = finished(service, job.id)
    assert (info.state, info.error, info.attempt) == ("failed", "ValueError: no luck", 1)


def test_another_process_cancels(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    runs_it = make_service(kind("a", "x", work))
    asks = make_service(kind("a", "x", work), start=False)
    job = asks.of("a").start("x")
    eventually(lambda: work.inside)
    assert asks.of("a").cancel(job.id)
    assert finished(asks, job.id).state == "cancelled"
    assert runs_it.get(job.id).result == "stopped"


def test_kinds_that_go_and_come_back(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work, other = hanging(), hanging()
    both = [kind("a", "x", work), kind("b", "x", other)]
    service = make_service(*both)
    job, stays = service.of("a").start("x", key="k"), service.of("b").start("x")
    eventually(lambda: work.inside and other.inside)
    service.declare(both[1:])
    eventually(lambda: service.get(job.id).state == "queued")
    assert service.get(stays.id).state == "running"
    assert not other.runs[0].cancelled
    with pytest.raises(NotFound):
        service.of("a").start("x")
    work.go.set()
    other.go.set()
    finished(service, stays.id)
    assert service.get(job.id).state == "queued", "kept while the plugin is off"
    service.declare(both)
    info = finished(service, job.id)
    assert (info.state, info.result, info.attempt) == ("succeeded", "done", 2)


def test_cancelled_while_it_gave_way(
    make_service: Make, kind: Kind, eventually: Eventually
) -> None:
    told, go = threading.Event(), threading.Event()

    def work(run: JobRun) -> None:
        told.set()
        assert not run.sleep(3600)
        assert go.wait(60)

    service = make_service(kind("a", "x", work))
    job = service.of("a").start("x")
    assert told.wait(60)
    service.declare([])
    service.cancel(job.id)
    go.set()
    eventually(lambda: service.get(job.id).finished)
    assert service.get(job.id).state == "cancelled"


def test_interrupt(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work, other = hanging(), hanging()
    kinds = [kind("a", "x", work, concurrency=2), kind("b", "x", other)]
    service = make_service(*kinds, workers=4)
    ids = [service.of("a").start("x").id for _ in range(3)]
    service.of("b").start("x")
    eventually(lambda: work.inside == 2 and other.inside == 1)
    assert service.interrupt("a", 60)
    assert not service.busy("a")
    assert service.busy("b")
    assert {service.get(job_id).state for job_id in ids} == {"queued"}
    work.go.set()
    assert service.interrupt("a", 0), "nothing to stop"
    assert service.interrupt("never heard of", 0)
    assert service.wait(ids[0], 0.1).state == "queued", "nothing is begun until the next declare"
    service.declare(kinds)
    for job_id in ids:
        assert finished(service, job_id).state == "succeeded"


def test_an_interrupt_that_is_resumed_or_forgotten(
    make_service: Make, kind: Kind, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(kind("a", "x", lambda run: "done"))
    assert service.interrupt("a", 60)
    job = service.of("a").start("x")
    assert service.wait(job.id, 0.1).state == "queued"
    service.resume("a")
    assert finished(service, job.id).state == "succeeded"
    service.resume("never interrupted")
    monkeypatch.setattr("host.jobs.runner.PAUSE_SECONDS", 0.05)
    assert service.interrupt("a", 60)
    assert finished(service, service.of("a").start("x").id).state == "succeeded"


def test_turned_away_at_the_gate_of_a_plugin_that_drains(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    work.deaf = True

    def enter(run: JobRun) -> str:
        work(run)
        if run.attempt == 1:
            raise Unavailable("This plugin is being switched off.")
        return "done"

    kinds = [kind("a", "x", enter)]
    service = make_service(*kinds)
    job = service.of("a").start("x")
    eventually(lambda: work.inside)
    service.declare([])
    work.go.set()
    eventually(lambda: service.get(job.id).state == "queued")
    service.declare(kinds)
    assert finished(service, job.id).result == "done"


def test_interrupt_of_one_that_hangs(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    deaf = hanging()
    deaf.deaf = True
    problems: list[Exception] = []
    tried = threading.Event()

    def hang(run: JobRun) -> str:
        if run.attempt > 1:
            assert tried.wait(60)
            return f"attempt {run.attempt}, saved {run.saved}"
        deaf(run)
        run.progress(99, 99, "too late")
        try:
            run.save("too late")
        except Conflict as error:
            problems.append(error)
        tried.set()
        return "too late"

    kinds = [kind("a", "x", hang)]
    service = make_service(*kinds, workers=1)
    job = service.of("a").start("x")
    eventually(lambda: deaf.inside)
    assert not service.interrupt("a", 0.02)
    assert not service.busy("a")
    assert service.get(job.id).state == "queued"
    service.declare(kinds)
    eventually(lambda: service.get(job.id).attempt == 2)  # on a worker in place of the lost one
    deaf.go.set()  # the first run goes on beside the second, of the same process
    info = finished(service, job.id)
    assert info.result == "attempt 2, saved None"
    assert info.done == 0
    assert len(problems) == 1
    eventually(lambda: not service.busy("a"))
    assert service.get(job.id) == info, "it could write nothing"


def test_a_stop_gives_jobs_back_and_the_next_life_goes_on(
    make_service: Make, kind: Kind, finished: Finished
) -> None:
    begun = threading.Event()

    def work(run: JobRun) -> Any:
        if run.attempt == 1:
            run.save({"done": 3})
            run.progress(3, 10)
            begun.set()
            assert not run.sleep(3600)
            return None
        return [run.attempt, run.saved]

    first = make_service(kind("a", "x", work))
    job = first.of("a").start("x")
    assert begun.wait(60)
    first.stop(60)
    info = first.get(job.id)
    assert (info.state, info.done, info.attempt, info.error) == ("queued", 3, 1, None)
    second = make_service(kind("a", "x", work))
    assert finished(second, job.id).result == [2, {"done": 3}]


def test_a_job_that_hangs_at_the_stop(
    make_service: Make,
    kind: Kind,
    hanging: Any,
    eventually: Eventually,
    finished: Finished,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deaf = hanging()
    deaf.deaf = True
    first = make_service(kind("a", "x", deaf))
    job = first.of("a").start("x")
    eventually(lambda: deaf.inside)
    first.stop(0.02)
    assert "plugin a" in caplog.text
    assert "left behind" in caplog.text
    assert first.get(job.id).state == "queued"
    second = make_service(kind("a", "x", lambda run: run.attempt))
    assert finished(second, job.id).result == 2
    deaf.go.set()
    eventually(lambda: not deaf.inside)
    assert second.get(job.id).result == 2


def test_a_stopped_service_starts_again(make_service: Make, kind: Kind, finished: Finished) -> None:
    service = make_service(kind("a", "x", lambda run: "done"))
    service.stop(60)
    job = service.of("a").start("x")
    assert service.wait(job.id, 0.05).state == "queued"
    service.start()
    assert finished(service, job.id).state == "succeeded"


def test_a_job_may_stop_the_service(make_service: Make, kind: Kind, eventually: Eventually) -> None:
    stopped = threading.Event()

    def work(run: JobRun) -> str:
        service.stop(60)
        stopped.set()
        return "done"

    service = make_service(kind("a", "x", work))
    job = service.of("a").start("x")
    assert stopped.wait(60)
    eventually(lambda: service.get(job.id).finished)
    assert service.get(job.id).result == "done"


def test_what_is_saved(make_service: Make, kind: Kind, finished: Finished) -> None:
    def work(run: JobRun) -> Any:
        for value in (object(), "x" * 2_000_000, 10**5000):
            with pytest.raises(Invalid, match="saves"):
                run.save(value)
        run.save([1])
        run.saved.append(2)  # a copy
        return run.saved

    service = make_service(kind("a", "x", work))
    assert finished(service, service.of("a").start("x").id).result == [1]
