"""Whose turn it is: keys, kinds, plugins, and the threads that do the work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.jobs import JobService
from plugin_sdk import JobInfo

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], None]
Finished = Callable[[JobService, str], JobInfo]


def test_a_key_is_held_until_the_end(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    work = hanging()
    service = make_service(kind("songs", "scan", work), kind("songs", "other", work), start=False)
    jobs = service.of("songs")
    first = jobs.start("scan", {"n": 1}, key="library")
    assert jobs.start("scan", {"n": 2}, key="library") == first
    assert jobs.start("scan", key="another").id != first.id
    assert jobs.start("scan").id != first.id
    assert jobs.start("other", key="library").id != first.id, "a key belongs to a kind"
    service.start()
    eventually(lambda: service.get(first.id).state == "running")
    assert jobs.start("scan", key="library").id == first.id
    work.go.set()
    finished(service, first.id)
    assert jobs.start("scan", key="library").id != first.id


def test_a_key_taken_by_many_threads_at_once(make_service: Make, kind: Kind) -> None:
    service = make_service(kind("songs", "scan", print), start=False)
    ids: list[str] = []

    def start() -> None:
        ids.append(service.of("songs").start("scan", key="library").id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_first_come_first_served_and_no_kind_starves(
    make_service: Make, kind: Kind, eventually: Eventually, hanging: Any, finished: Finished
) -> None:
    order: list[int] = []
    blocker = hanging()
    service = make_service(
        kind("songs", "slow", blocker),
        kind("songs", "count", lambda run: order.append(run.args["n"])),
        kind("rooms", "quick", lambda run: "quick"),
        start=False,
        workers=4,
    )
    jobs = service.of("songs")
    for _ in range(300):
        jobs.start("slow")
    for n in range(20):
        jobs.start("count", {"n": n})
    quick = service.of("rooms").start("quick")
    service.start()
    assert finished(service, quick.id).result == "quick"
    eventually(lambda: len(order) == 20)
    assert order == list(range(20))
    assert blocker.most == 1


def test_concurrency_of_a_kind(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually
) -> None:
    one, two = hanging(), hanging()
    service = make_service(kind("a", "one", one), kind("b", "two", two, concurrency=2), workers=6)
    for _ in range(4):
        service.of("a").start("one")
        service.of("b").start("two")
    eventually(lambda: one.inside == 1 and two.inside == 2)
    one.go.set()
    two.go.set()
    eventually(lambda: all(info.finished for info in service.list_all()))
    assert (one.most, two.most) == (1, 2)
    assert len(one.runs) == len(two.runs) == 4


def test_one_plugin_never_has_the_last_worker(
    make_service: Make, kind: Kind, hanging: Any, eventually: Eventually, finished: Finished
) -> None:
    greedy = hanging()
    service = make_service(
        kind("greedy", "hang", greedy, concurrency=10),
        kind("greedy", "more", greedy, concurrency=10),
        kind("modest", "quick", lambda run: "quick"),
        workers=3,
    )
    for _ in range(5):
        service.of("greedy").start("hang")
        service.of("greedy").start("more")
    eventually(lambda: greedy.inside == 2)
    for _ in range(3):
        assert finished(service, service.of("modest").start("quick").id).result == "quick"
    assert greedy.most == 2
    assert service.busy("greedy")
    eventually(lambda: not service.busy("modest"))  # a moment after its result is there


def test_threads_come_with_work_and_go(
    make_service: Make,
    kind: Kind,
    finished: Finished,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.jobs.workers.IDLE_SECONDS", 0.02)
    before = set(threading.enumerate())
    service = make_service(kind("a", "x", lambda run: None), start=False)
    assert set(threading.enumerate()) <= before  # what another test left may end meanwhile
    service.start()

    def workers() -> list[str]:
        names = (thread.name for thread in threading.enumerate())
        return [name for name in names if name.startswith("stagebox-jobs-") and name[-1].isdigit()]

    eventually(lambda: workers() == [])
    for _ in range(2):
        finished(service, service.of("a").start("x").id)
        eventually(lambda: workers() == [])
    service.stop(60)
    # A worker that has just found nothing to do counts no more, and ends.
    eventually(lambda: set(threading.enumerate()) <= before)
