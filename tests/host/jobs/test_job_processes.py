"""Several processes on one database, and processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.db import Engine
from host.jobs import JobService
from host.jobs.owners import process_gone, this_machine, this_process
from host.jobs.schema import JOBS, OWNERS
from host.jobs.store import Lease, Progress
from plugin_sdk import JobInfo, JobRun

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], None]
Finished = Callable[[JobService, str], JobInfo]

ROOT = Path(__file__).parents[3]

PROLOGUE = """
import logging, os, sys, time
from pathlib import Path
from host.clock import SystemClock
from host.testing import open_engine
from host.jobs import JobKind, JobService
from plugin_sdk import Job

engine = open_engine(Path(sys.argv[1]), "normal")

def make(work, **words):
    service = JobService(
        engine.open("host"), SystemClock(), logging.getLogger("child"), poll_seconds=0.02
    )
    service.declare([JobKind("a", Job("x", work, **words), work)])
    return service
"""

MORTAL = """
def work(run):
    for step in range(run.saved or 0, 3):
        run.progress(step + 1, 10, "on my way")
        run.save(step + 1)
    print(run.id, flush=True)
    run.sleep(3600)

service = make(work)
service.of("a").start("x", {"who": "child"})
service.start()
sys.stdin.read()
"""

EXCLUSIVE = """
held = Path(sys.argv[2])

def work(run):
    os.close(os.open(held, os.O_CREAT | os.O_EXCL))  # FileExistsError: somebody else is in here
    time.sleep(0.002)
    held.unlink()
    return os.getpid()

service = make(work)
service.start()
print("ready", flush=True)
sys.stdin.read()
service.stop(60)
engine.close()
"""


def child(program: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + program, *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_in_the_middle_another_one_finishes(
    tmp_path: Path, engine: Engine, make_service: Make, kind: Kind, finished: Finished
) -> None:
    mortal = child(MORTAL, tmp_path / "data")
    assert mortal.stdout is not None
    job_id = mortal.stdout.readline().strip()
    assert job_id
    mortal.send_signal(signal.SIGKILL)
    mortal.communicate(timeout=60)

    def work(run: JobRun) -> Any:
        steps = list(range(run.saved, 10))
        return {"attempt": run.attempt, "steps": steps, "args": dict(run.args)}

    # The lease of the dead one is still valid for half a minute, but its process is gone.
    service = make_service(kind("a", "x", work), lease_seconds=30)
    assert service.get(job_id).done == 3, "its progress was not lost"
    info = finished(service, job_id)
    assert info.state == "succeeded"
    assert info.result == {
        "attempt": 2,
        "steps": [3, 4, 5, 6, 7, 8, 9],
        "args": {"who": "child"},
    }


def test_killed_while_another_process_lives(
    tmp_path: Path,
    make_service: Make,
    kind: Kind,
    finished: Finished,
    eventually: Eventually,
) -> None:
    lost: list[str] = []
    service = make_service(kind("a", "y", lambda run: None))
    service.on_owners_lost = lost.extend
    mortal = child(MORTAL, tmp_path / "data")
    assert mortal.stdout is not None
    job_id = mortal.stdout.readline().strip()
    service.declare([kind("a", "x", lambda run: [run.attempt, run.saved])])
    owner = service._database.value(f"SELECT owner FROM {JOBS} WHERE id = :id", {"id": job_id})
    assert service.alive(owner)
    mortal.send_signal(signal.SIGKILL)
    mortal.communicate(timeout=60)
    assert not service.alive(owner)
    assert finished(service, job_id).result == [2, 3]
    eventually(lambda: lost == [owner])  # told a moment after its jobs were taken over
    assert service.alive(service.owner)


def test_two_processes_never_overlap(
    tmp_path: Path, make_service: Make, kind: Kind, finished: Finished
) -> None:
    service = make_service(kind("a", "x", print), start=False)
    ids = [service.of("a").start("x").id for _ in range(60)]
    children = [child(EXCLUSIVE, tmp_path / "data", tmp_path / "held") for _ in range(2)]
    try:
        infos = [finished(service, job_id) for job_id in ids]
    finally:
        for one in children:
            one.communicate("", timeout=120)
    assert [info.error for info in infos if info.error] == []
    assert all(info.attempt == 1 for info in infos)
    assert {info.result for info in infos} <= {one.pid for one in children}


def elsewhere(engine: Engine, owner: str, expires_at: int) -> None:
    """A process of another machine."""
    row = {"id": owner, "machine": "elsewhere", "process": "1 1", "expires_at": expires_at}
    engine.open("host").table(OWNERS).upsert(row)


def hold(engine: Engine, job_id: str, owner: str) -> None:
    engine.open("host").execute(
        f"UPDATE {JOBS} SET state = 'running', owner = :owner, attempt = 1 WHERE id = :id",
        {"owner": owner, "id": job_id},
    )


def test_a_lease_elsewhere_has_to_run_out(
    engine: Engine, make_service: Make, kind: Kind, clock: Any, finished: Finished
) -> None:
    service = make_service(kind("a", "x", lambda run: run.attempt), start=False)
    jobs = [service.of("a").start("x").id for _ in range(2)]
    elsewhere(engine, "other", clock.ms() + 3_600_000)
    hold(engine, jobs[0], "other")
    hold(engine, jobs[1], "nobody")
    service.start()
    assert service.alive("other")
    assert not service.alive("nobody")
    service._beat()
    assert service.get(jobs[0]).state == "running", "its owner may live"
    assert service.get(jobs[1]).state == "queued", "that one's does not"
    clock.ahead += 3601
    assert finished(service, jobs[0]).result == 2
    assert finished(service, jobs[1]).result == 2
    assert not service.alive("other")


def test_a_lost_job_that_was_to_be_cancelled(
    engine: Engine, make_service: Make, kind: Kind
) -> None:
    service = make_service(kind("a", "x", lambda run: run.attempt), start=False)
    job = service.of("a").start("x").id
    hold(engine, job, "nobody")
    service.cancel(job)
    service.start()
    info = service.get(job)
    assert (info.state, info.error) == ("cancelled", None)
    assert info.finished_at is not None


def test_a_job_that_kills_the_process_again_and_again(
    engine: Engine, make_service: Make, kind: Kind
) -> None:
    service = make_service(start=False)
    service.declare([kind("a", "x", print)])
    job = service.of("a").start("x").id
    for _ in range(10):
        assert service.get(job).state == "queued"
        hold(engine, job, "nobody")
        service._take_over()
    info = service.get(job)
    assert info.state == "failed"
    assert info.error == "The process ended 10 times while this job was running."


def test_what_it_saved_in_between_counts_for_a_job(
    engine: Engine, make_service: Make, kind: Kind
) -> None:
    service = make_service(start=False)
    service.declare([kind("a", "x", print)])
    job = service.of("a").start("x").id
    number = engine.open("host").value(f"SELECT number FROM {JOBS}")
    for _ in range(15):
        hold(engine, job, "nobody")
        assert service._store.save(Lease(number, "nobody", 1), "1", Progress())
        service._take_over()
    assert service.get(job).state == "queued"


def test_two_that_saw_the_same_free_place(engine: Engine, make_service: Make, kind: Kind) -> None:
    """Between looking and claiming another process may have been quicker."""
    declared = kind("a", "x", print, concurrency=2)
    services = [make_service(declared, start=False) for _ in range(2)]
    for _ in range(4):
        services[0].of("a").start("x")
    claims = [
        services[n % 2]._store.claim(number, declared, services[n % 2].owner, 0)
        for n, number in enumerate((1, 1, 2, 3))
    ]
    assert [claim is not None for claim in claims] == [True, False, True, False]
    assert service_running(services[0]) == 2


def service_running(service: JobService) -> int:
    return len(service.list_all(state="running"))


def test_who_was_taken_for_dead_gives_up(
    engine: Engine,
    make_service: Make,
    kind: Kind,
    hanging: Any,
    eventually: Eventually,
    finished: Finished,
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = hanging()
    service = make_service(kind("a", "x", work))
    job = service.of("a").start("x")
    eventually(lambda: work.inside)
    with engine.open("host").transaction():  # what another process would do
        engine.open("host").table(OWNERS).delete(service.owner)
        service._store.take_over(0)
    eventually(lambda: len(work.runs) >= 2)  # its first run was told to stop, its second begun
    eventually(lambda: "taken for dead" in caplog.text)
    work.go.set()
    info = finished(service, job.id)
    assert (info.state, info.result) == ("succeeded", "done")
    assert info.attempt >= 2  # what began between the burial and the notice begins once more


def test_two_threads_do_not_both_find_that_it_was_taken_for_dead(
    engine: Engine, make_service: Make, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second would take away what the first one let begin anew."""
    service = make_service(kind("a", "x", print), start=False, lease_seconds=3600)
    service._prepare()
    service._owners.enter()  # as `attend`, without a heart that might notice first
    engine.open("host").table(OWNERS).delete(service.owner)
    renew, lose_all = service._owners.renew, service._runner.lose_all
    both_there, lost = threading.Barrier(2), []

    def late() -> bool:
        found = renew()
        try:
            both_there.wait(0.3)
        except threading.BrokenBarrierError:
            pass  # the other one is not let in
        return found

    monkeypatch.setattr(service._owners, "renew", late)
    monkeypatch.setattr(service._runner, "lose_all", lambda: (lost.append(1), lose_all()))
    threads = [threading.Thread(target=service._beat) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert lost == [1]


def test_process_identity() -> None:
    assert this_machine() == this_machine()
    me = this_process()
    assert me == this_process()
    assert not process_gone(me)
    assert not process_gone("what is this")
    done = subprocess.Popen([sys.executable, "-c", ""])
    pid = done.pid
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process_gone(f"{pid} 1"), "a zombie is gone"
    done.wait()
    assert process_gone(f"{pid} 1")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times come from /proc")
def test_a_process_id_that_is_used_again() -> None:
    pid, started = this_process().split()
    assert process_gone(f"{pid} {int(started) - 1}")
