"""Jobs in memory."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk import Conflict, Invalid, Job, JobRun, NotFound
from plugin_sdk.testing import FakeClock, FakeContext, FakeJobRun, FakeJobs, Progress


@pytest.fixture
def context() -> FakeContext:
    return FakeContext("example.board", now=1_000)


@pytest.fixture
def jobs(context: FakeContext) -> FakeJobs:
    return context.jobs


def _count(run: JobRun) -> int:
    for number in range(1, run.args["to"] + 1):
        if run.cancelled:
            return number
        run.progress(number, run.args["to"], f"at {number}")
    return int(run.args["to"])


def test_nothing_runs_until_it_is_told_to(context: FakeContext, jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count)])
    queued = jobs.start("count", {"to": 2})
    assert (queued.state, queued.attempt, queued.created_at) == ("queued", 0, 1_000_000)
    context.clock.advance(1)
    [done] = jobs.run_all()
    assert (done.state, done.result, done.attempt) == ("succeeded", 2, 1)
    assert (done.done, done.total, done.text) == (2, 2, "at 2")
    assert (done.started_at, done.finished_at) == (1_001_000, 1_001_000)
    assert jobs.get(queued.id) == done
    assert jobs.reports(queued.id) == (Progress(1, 2, "at 1"), Progress(2, 2, "at 2"))
    assert jobs.run_all() == []


def test_or_at_once(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count)])
    jobs.synchronous = True
    assert jobs.start("count", {"to": 3}).result == 3


def test_waiting_runs_it(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count)])
    assert jobs.wait(jobs.start("count", {"to": 3}).id).state == "succeeded"


def test_names_that_were_not_declared(jobs: FakeJobs) -> None:
    with pytest.raises(NotFound, match="missing"):
        jobs.start("missing")
    for use in (jobs.get, jobs.cancel, jobs.wait, jobs.reports):
        with pytest.raises(NotFound):
            use("job-99")


def test_arguments_are_json_and_copies(jobs: FakeJobs) -> None:
    jobs.declare([Job("echo", lambda run: run.args)])
    given = {"list": [1]}
    started = jobs.start("echo", given)
    given["list"].append(2)
    assert jobs.wait(started.id).result == {"list": [1]}
    with pytest.raises(Invalid):
        jobs.start("echo", {"a": object()})


def test_one_job_for_a_key(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count), Job("other", lambda run: None)])
    first = jobs.start("count", {"to": 1}, key="k")
    assert jobs.start("count", {"to": 9}, key="k") == first
    assert jobs.start("other", key="k").id != first.id
    assert jobs.start("count", {"to": 1}).id != jobs.start("count", {"to": 1}).id
    jobs.run_all()
    assert jobs.start("count", {"to": 9}, key="k").id != first.id


def test_a_key_is_taken_while_the_job_runs(jobs: FakeJobs) -> None:
    started: list[str] = []
    jobs.declare([Job("self", lambda run: started.append(jobs.start("self", key="k").id))])
    first = jobs.start("self", key="k")
    jobs.run_all()
    assert started == [first.id]


def _fail(run: JobRun) -> None:
    raise ZeroDivisionError("by zero")


def test_a_handler_that_raises_fails_its_job(context: FakeContext, jobs: FakeJobs) -> None:
    jobs.declare([Job("fail", _fail)])
    started = jobs.start("fail")
    [info] = jobs.run_all()
    assert (info.state, info.error, info.result) == (
        "failed",
        "ZeroDivisionError: by zero",
        None,
    )
    assert isinstance(jobs.errors[started.id], ZeroDivisionError)
    assert len(context.log.messages) == 1


def test_an_error_raised_on_purpose_speaks_for_itself(jobs: FakeJobs) -> None:
    def full(run: JobRun) -> None:
        raise Conflict("The board is full.")

    jobs.declare([Job("full", full)])
    assert jobs.wait(jobs.start("full").id).error == "The board is full."


def test_a_result_that_is_no_json_fails_the_job(jobs: FakeJobs) -> None:
    jobs.declare([Job("bad", lambda run: object())])
    info = jobs.wait(jobs.start("bad").id)
    assert info.state == "failed"
    assert "JSON" in (info.error or "")


def test_attempts_go_on_from_what_was_saved(jobs: FakeJobs) -> None:
    def stumble(run: JobRun) -> Any:
        seen = [*(run.saved or []), run.attempt]
        run.save(seen)
        if run.attempt < 3:
            raise ZeroDivisionError
        return seen

    jobs.declare([Job("stumble", stumble, attempts=3)])
    jobs.start("stumble")
    [info] = jobs.run_all()
    assert (info.state, info.attempt, info.result) == ("succeeded", 3, [1, 2, 3])
    jobs.declare([Job("stumble", stumble, attempts=2)])
    jobs.start("stumble")
    [info] = jobs.run_all()
    assert (info.state, info.attempt) == ("failed", 2)


def test_cancelling_what_waits(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count)])
    started = jobs.start("count", {"to": 1})
    assert jobs.cancel(started.id) is True
    info = jobs.get(started.id)
    assert (info.state, info.cancel_requested, info.finished) == ("cancelled", True, True)
    assert jobs.cancel(started.id) is False
    assert jobs.run_all() == []


def test_cancelling_what_runs(jobs: FakeJobs) -> None:
    def cancel_itself(run: JobRun) -> str:
        assert jobs.cancel(run.id) is True
        assert jobs.get(run.id).state == "running"
        return "stopped" if run.cancelled else "not told"

    jobs.declare([Job("cancel", cancel_itself)])
    info = jobs.wait(jobs.start("cancel").id)
    assert (info.state, info.cancel_requested, info.result) == ("cancelled", True, "stopped")


def test_a_handler_that_did_not_look_has_done_its_work(jobs: FakeJobs) -> None:
    jobs.declare([Job("deaf", lambda run: jobs.cancel(run.id))])
    info = jobs.wait(jobs.start("deaf").id)
    assert (info.state, info.cancel_requested) == ("succeeded", True)


def test_lists_are_newest_first(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count), Job("fail", _fail)])
    for _ in range(2):
        jobs.start("count", {"to": 1})
        jobs.start("fail")
    jobs.run_all()
    jobs.start("fail")
    assert [info.name for info in jobs.list()] == ["fail", "fail", "count", "fail", "count"]
    assert [info.state for info in jobs.list(name="fail")] == ["queued", "failed", "failed"]
    assert len(jobs.list(state="succeeded")) == 2
    assert len(jobs.list(name="fail", state="failed", limit=1)) == 1


def test_jobs_of_kinds_that_are_gone_wait(jobs: FakeJobs) -> None:
    jobs.declare([Job("count", _count)])
    started = jobs.start("count", {"to": 1})
    jobs.withdraw()
    assert jobs.run_all() == []
    assert jobs.wait(started.id).state == "queued"
    jobs.declare([Job("count", _count)])
    assert len(jobs.run_all()) == 1


def test_a_run_for_calling_a_handler() -> None:
    run = FakeJobRun({"to": 10}, cancel_after=2)
    assert _count(run) == 3
    assert run.reports == [Progress(1, 10, "at 1"), Progress(2, 10, "at 2")]
    assert run.noticed
    run = FakeJobRun({"to": 2}, attempt=4, saved={"at": 1})
    assert (run.attempt, run.saved, run.cancelled) == (4, {"at": 1}, False)
    with pytest.raises(Invalid):
        run.save(object())
    assert run.saved == {"at": 1}


def test_sleeping_moves_the_clock() -> None:
    clock = FakeClock(0)
    run = FakeJobRun(clock=clock)
    assert run.sleep(90) is True
    assert clock.time() == 90
    run.cancel()
    assert run.sleep(90) is False
    assert clock.time() == 90
