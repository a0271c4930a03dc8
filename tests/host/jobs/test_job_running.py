"""Starting, running, failing, watching."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.jobs import JobService, check_kinds
from host.jobs.store import JobStore
from plugin_sdk import Conflict, Invalid, JobInfo, JobRun, NotFound

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], None]
Finished = Callable[[JobService, str], JobInfo]


def test_a_job_from_start_to_end(make_service: Make, kind: Kind, finished: Finished) -> None:
    def work(run: JobRun) -> Any:
        assert run.attempt == 1
        assert run.saved is None
        assert not run.cancelled
        run.progress(2, 3, "nearly\nthere\0")
        return {"sum": sum(run.args["numbers"]), "id": run.id}

    service = make_service(kind("songs", "add", work))
    jobs = service.of("songs")
    queued = jobs.start("add", {"numbers": [1, 2]})
    assert (queued.state, queued.plugin_id, queued.name) == ("queued", "songs", "add")
    info = finished(service, queued.id)
    assert info.state == "succeeded"
    assert info.result == {"sum": 3, "id": queued.id}
    assert (info.done, info.total, info.text) == (2, 3, "nearly there")
    assert info.args == {"numbers": [1, 2]}
    assert info.attempt == 1
    assert info.error is None
    assert info.started_at is not None
    assert info.finished_at is not None
    assert info.created_at <= info.started_at <= info.finished_at
    assert jobs.get(queued.id) == info == service.get(queued.id) == jobs.wait(queued.id)


def test_what_cannot_be_started(make_service: Make, kind: Kind) -> None:
    service = make_service(kind("songs", "add", print), start=False)
    jobs = service.of("songs")
    with pytest.raises(NotFound, match="subtract"):
        jobs.start("subtract")
    with pytest.raises(NotFound):
        service.of("rooms").start("add")
    for args in ([1], {"x": object()}, {"x": 10**5000}, {"x": "y" * 300_000}):
        with pytest.raises(Invalid, match="arguments"):
            jobs.start("add", args)  # type: ignore[arg-type]
    for key in ("", "@schedule", "x" * 201):
        with pytest.raises(Invalid, match="key"):
            jobs.start("add", key=key)
    assert jobs.list() == []


def test_jobs_are_a_plugins_own(make_service: Make, kind: Kind) -> None:
    service = make_service(kind("songs", "add", print), start=False)
    job = service.of("songs").start("add")
    other = service.of("rooms")
    for call in (other.get, other.cancel, other.wait):
        with pytest.raises(NotFound):
            call(job.id)
    assert other.list() == []
    with pytest.raises(NotFound):
        service.get("no such job")


@pytest.mark.parametrize(
    ("kinds", "word"),
    [
        ([("a", "x", {}), ("a", "x", {})], "twice"),
        ([("a", "x", {"concurrency": 0})], "concurrency"),
        ([("a", "x", {"attempts": 0})], "attempts"),
        ([("a", "x", {"every": 0})], "seconds"),
        ([("a", "x", {"every": float("inf")})], "seconds"),
        ([("a", "", {})], "name"),
    ],
)
def test_kinds_that_are_refused(
    make_service: Make, kind: Kind, kinds: Any, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [kind(plugin, name, print, **words) for plugin, name, words in kinds]
    with pytest.raises(Invalid, match=word):
        check_kinds(bad)
    service = make_service(start=False)
    service.declare([*bad, kind("b", "good", print)])
    assert word in caplog.text
    service.of("b").start("good")  # the others are there
    if word != "twice":
        with pytest.raises(NotFound):
            service.of("a").start(bad[0].job.name)


def test_impossible_services(make_service: Make) -> None:
    with pytest.raises(Invalid):
        make_service(workers=0)
    with pytest.raises(Invalid):
        make_service(lease_seconds=0)


def test_failing(
    make_service: Make, kind: Kind, finished: Finished, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(run: JobRun) -> None:
        raise {"value": ValueError("bad\nthing"), "exit": SystemExit(3), "own": Conflict("Taken.")}[
            run.args["how"]
        ]

    service = make_service(
        kind("songs", "fail", fail),
        kind("songs", "object", lambda run: object()),
        kind("songs", "large", lambda run: "x" * 300_000),
        workers=1,
    )
    jobs = service.of("songs")
    errors = {
        how: finished(service, jobs.start("fail", {"how": how}).id)
        for how in ("value", "exit", "own")
    }
    assert errors["value"].error == "ValueError: bad thing"
    assert errors["exit"].error == "SystemExit: 3"
    assert errors["own"].error == "Taken."
    assert {info.state for info in errors.values()} == {"failed"}
    assert all(info.result is None for info in errors.values())
    records = [each for each in caplog.records if each.name == "stagebox.test.jobs"]
    records = [each for each in records if each.levelno >= logging.ERROR]
    assert len(records) == 3
    assert all(r.exc_info and "songs" in r.getMessage() for r in records)
    assert "no JSON type" in (finished(service, jobs.start("object").id).error or "")
    assert "bytes" in (finished(service, jobs.start("large").id).error or "")


def test_attempts_with_back_off(
    make_service: Make, kind: Kind, eventually: Eventually, finished: Finished, clock: Any
) -> None:
    attempts: list[int] = []

    def flaky(run: JobRun) -> str:
        attempts.append(run.attempt)
        if run.attempt < 3:
            raise ValueError(f"attempt {run.attempt}")
        return "at last"

    service = make_service(kind("songs", "flaky", flaky, attempts=3), backoff_seconds=60)
    job = service.of("songs").start("flaky")
    eventually(lambda: service.get(job.id).error == "ValueError: attempt 1")
    assert service.get(job.id).state == "queued"
    clock.ahead += 61
    eventually(lambda: service.get(job.id).error == "ValueError: attempt 2")
    clock.ahead += 61  # the wait doubles
    assert service.wait(job.id, 0.1).state == "queued"
    clock.ahead += 60
    info = finished(service, job.id)
    assert (info.state, info.result, info.attempt, info.error) == ("succeeded", "at last", 3, None)
    assert attempts == [1, 2, 3]


def test_attempts_run_out(make_service: Make, kind: Kind, finished: Finished) -> None:
    def fail(run: JobRun) -> None:
        raise ValueError(f"attempt {run.attempt}")

    service = make_service(kind("songs", "fail", fail, attempts=2), backoff_seconds=0)
    info = finished(service, service.of("songs").start("fail").id)
    assert (info.state, info.error, info.attempt) == ("failed", "ValueError: attempt 2", 2)


def test_progress_is_written_seldom_and_the_last_always(
    make_service: Make, kind: Kind, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    original = JobStore.progress

    def counted(self: JobStore, lease: Any, progress: Any) -> bool:
        writes.append(progress.done)
        return original(self, lease, progress)

    monkeypatch.setattr(JobStore, "progress", counted)
    go = threading.Event()

    def work(run: JobRun) -> None:
        for n in range(1, 5001):
            run.progress(n, 10_000, "counting")
        assert go.wait(60)
        run.progress(7000)

    service = make_service(kind("songs", "count", work))
    job = service.of("songs").start("count")
    eventually(lambda: service.get(job.id).done == 5000)
    assert len(writes) < 500
    assert writes == sorted(writes)
    go.set()
    info = service.wait(job.id, 60)
    assert (info.state, info.done, info.total, info.text) == ("succeeded", 7000, 0, "")


def test_progress_beyond_what_a_database_counts(
    make_service: Make, kind: Kind, finished: Finished
) -> None:
    def work(run: JobRun) -> str:
        run.progress(10**30, -1)
        return "done"

    service = make_service(kind("songs", "count", work))
    info = finished(service, service.of("songs").start("count").id)
    assert (info.state, info.done, info.total) == ("succeeded", 2**63 - 1, 0)


def test_changes_are_told(
    make_service: Make,
    kind: Kind,
    finished: Finished,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def work(run: JobRun) -> None:
        run.progress(1, 2)

    service = make_service(kind("songs", "work", work), start=False)
    told: list[JobInfo] = []
    service.on_change = told.append
    job = service.of("songs").start("work")
    service.start()
    finished(service, job.id)
    # Whoever wrote the progress may tell of it last: two threads do both.
    eventually(lambda: any(info.finished for info in told))
    eventually(lambda: any(info.state == "running" and info.done == 1 for info in told))
    states = [info.state for info in told]
    assert [s for n, s in enumerate(states) if s not in states[:n]] == [
        "queued",
        "running",
        "succeeded",
    ]

    def fail(info: JobInfo) -> None:
        raise ValueError("a watcher's own fault")

    service.on_change = fail
    assert finished(service, service.of("songs").start("work").id).state == "succeeded"
    assert "a watcher's own fault" in caplog.text


def test_lists(make_service: Make, kind: Kind, finished: Finished) -> None:
    kinds = [kind(p, n, lambda run: None) for p in ("a", "b") for n in ("x", "y")]
    service = make_service(*kinds, start=False)
    made = [service.of(k.plugin_id).start(k.job.name).id for _ in range(3) for k in kinds]
    service.cancel(made[0])
    ids = [info.id for info in service.list_all()]
    assert ids == made[::-1], "newest first"
    assert [info.id for info in service.list_all(limit=2)] == made[:-3:-1]
    assert [info.id for info in service.list_all(plugin_id="b")] == made[::-1][:2] + made[::-1][
        4:6
    ] + made[::-1][8:10]
    assert [info.id for info in service.of("a").list(name="x")] == [made[8], made[4], made[0]]
    assert [info.id for info in service.of("a").list(state="cancelled")] == [made[0]]
    assert [info.id for info in service.of("a").list(name="x", state="queued")] == [
        made[8],
        made[4],
    ]
    assert [info.id for info in service.list_all(state="cancelled")] == [made[0]]
    assert service.list_all(limit=-1) == []
    with pytest.raises(Invalid):
        service.list_all(name="x")


def test_old_jobs_are_removed(make_service: Make, kind: Kind, finished: Finished) -> None:
    service = make_service(
        kind("a", "x", lambda run: None), kind("a", "y", lambda run: None), keep=3
    )
    other = service.of("a").start("y").id
    ids = [finished(service, service.of("a").start("x").id).id for _ in range(6)]
    assert [info.id for info in service.of("a").list(name="x")] == ids[:-4:-1]
    assert service.get(other)


def test_purge(make_service: Make, kind: Kind, hanging: Any, eventually: Eventually) -> None:
    work = hanging()
    service = make_service(
        kind("a", "x", work, every=3600), kind("b", "x", lambda run: None, every=3600)
    )
    running = service.of("a").start("x")
    service.of("a").start("x")
    eventually(lambda: work.inside == 1)
    service.declare([kind("b", "x", lambda run: None)])
    service.purge("a")
    assert service.list_all(plugin_id="a") == []
    eventually(lambda: not service.busy("a"))
    with pytest.raises(NotFound):
        service.get(running.id)
    kept = service.of("b").start("x")
    assert service.get(kept.id)


def test_a_job_started_in_a_transaction_that_is_undone(
    make_service: Make, kind: Kind, engine: Any, undone: Any, finished: Finished
) -> None:
    runs: list[str] = []
    service = make_service(kind("a", "x", lambda run: runs.append(run.id)))
    told: list[str] = []
    service.on_change = lambda info: told.append(info.id)
    database = engine.open("host")
    with undone(engine, "host"):
        taken_back = service.of("a").start("x")
    with database.transaction():
        kept = service.of("a").start("x")
    finished(service, kept.id)
    assert runs == [kept.id]
    assert taken_back.id not in told
    with pytest.raises(NotFound):
        service.get(taken_back.id)
