"""Periodic jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from host.jobs import JobService
from plugin_sdk import JobRun

Make = Callable[..., JobService]
Kind = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], None]


class Ticks:
    """A job that counts."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __call__(self, run: JobRun) -> None:
        with self._lock:
            self.count += 1


def idle(service: JobService) -> bool:
    return all(info.finished for info in service.list_all())


LONG = 10_000_000
"""Seconds: these tests move the clock on, and a service whose lease runs out by that gives back
what it began."""


def rounds(service: JobService, number: int = 3) -> None:
    """Lets the service go its round some times."""
    for _ in range(number):
        service._tick()


def test_every(make_service: Make, kind: Kind, clock: Any, eventually: Eventually) -> None:
    ticks = Ticks()
    service = make_service(kind("a", "x", ticks, every=600), lease_seconds=LONG)
    rounds(service)
    assert service.list_all() == [], "the first time after that delay"
    for count in (1, 2, 3):
        clock.ahead += 601
        eventually(lambda count=count: ticks.count == count)
        eventually(lambda: idle(service))
    clock.ahead += 6000  # as if asleep: what was missed is one
    eventually(lambda: ticks.count == 4)
    eventually(lambda: idle(service))
    rounds(service)
    assert len(service.list_all()) == 4


def test_at_start_alone_and_with_every(
    make_service: Make, kind: Kind, clock: Any, eventually: Eventually
) -> None:
    once, often = Ticks(), Ticks()
    kinds = [
        kind("a", "once", once, at_start=True),
        kind("a", "often", often, at_start=True, every=600),
    ]
    service = make_service(*kinds, lease_seconds=LONG)
    eventually(lambda: (once.count, often.count) == (1, 1))
    eventually(lambda: idle(service))
    clock.ahead += 601
    eventually(lambda: often.count == 2)
    eventually(lambda: idle(service))
    service.declare([])
    rounds(service)
    clock.ahead += 6000
    service.declare(kinds)  # switched on again: that is a start
    eventually(lambda: (once.count, often.count) == (2, 3))
    eventually(lambda: idle(service))
    service.declare(kinds)  # something else was switched: that is none
    rounds(service)
    assert len(service.list_all()) == 5
    service.stop(60)
    again = make_service(*kinds, lease_seconds=LONG)
    eventually(lambda: (once.count, often.count) == (3, 4))
    eventually(lambda: idle(again))


def test_a_restart_does_not_put_off_what_is_rare(
    make_service: Make, kind: Kind, clock: Any, eventually: Eventually
) -> None:
    ticks = Ticks()
    for count in range(3):
        service = make_service(kind("a", "daily", ticks, every=86_400), lease_seconds=LONG)
        rounds(service)
        eventually(lambda s=service: idle(s))
        service.stop(60)
        assert ticks.count == (1 if count == 2 else 0)
        clock.ahead += 50_000


def test_a_tick_while_the_last_one_runs_is_left_out(
    make_service: Make, kind: Kind, clock: Any, eventually: Eventually, hanging: Any
) -> None:
    work = hanging()
    service = make_service(kind("a", "x", work, every=600, concurrency=5), lease_seconds=LONG)
    rounds(service)  # from here on it counts
    for _ in range(3):
        clock.ahead += 601
        rounds(service)
        eventually(lambda: work.inside == 1)
    assert len(service.list_all()) == 1
    work.go.set()
    eventually(lambda: idle(service))
    clock.ahead += 601
    eventually(lambda: len(service.list_all()) == 2)


def test_of_several_processes_one_runs_each_tick(
    make_service: Make, kind: Kind, clock: Any, eventually: Eventually
) -> None:
    ticks = Ticks()
    declared = [
        kind("a", "x", ticks, every=600, at_start=True),
        kind("a", "once", ticks, at_start=True),
    ]
    services = [make_service(*declared, start=False, lease_seconds=LONG) for _ in range(3)]
    for service in services:
        service.attend()  # each knows of the others before the first one has begun
    for service in services:
        service.start()
    eventually(lambda: ticks.count == 2)
    eventually(lambda: idle(services[0]))  # a tick that finds the last one running is left out
    for count in (3, 4, 5):
        clock.ahead += 601
        eventually(lambda count=count: ticks.count == count)
        for service in services:
            rounds(service)
        eventually(lambda: idle(services[0]))
    assert ticks.count == 5
    # All of them follow when the plugin is switched off and on: still one start.
    for service in services:
        service.declare([])
        rounds(service)
    for service in services:
        service.declare(declared)
        rounds(service)
    eventually(lambda: ticks.count == 7)
    eventually(lambda: idle(services[0]))
    for service in services:
        rounds(service)
    assert len(services[0].list_all()) == 7


def test_a_period_that_changes_and_a_clock_that_is_set_back(
    make_service: Make, kind: Kind, clock: Any, eventually: Eventually
) -> None:
    ticks = Ticks()
    service = make_service(kind("a", "x", ticks, every=86_400), lease_seconds=LONG)
    rounds(service)
    service.stop(60)
    service = make_service(kind("a", "x", ticks, every=60), lease_seconds=LONG)
    rounds(service)
    clock.ahead += 61
    eventually(lambda: ticks.count == 1)
    eventually(lambda: idle(service))
    service.stop(60)
    clock.ahead -= 1_000_000
    service = make_service(kind("a", "x", ticks, every=60), lease_seconds=LONG)
    rounds(service)
    clock.ahead += 61
    eventually(lambda: ticks.count == 2)


def test_who_comes_to_life_in_between_is_not_overlooked(
    make_service: Make, kind: Kind, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Another process begins and ends what is due at a start, once this one has looked who lives;
    unless it has to wait until this one is through."""
    begun = threading.Event()
    declared = kind("a", "once", lambda run: begun.set(), at_start=True)
    first, second = (make_service(declared, start=False, lease_seconds=LONG) for _ in range(2))
    first.attend()
    coming = threading.Thread(target=second.start)
    living = first._owners.living

    def slow() -> set[str]:
        found = living()
        coming.start()
        begun.wait(0.3)
        return found

    monkeypatch.setattr(first._owners, "living", slow)
    first._tick()
    coming.join(60)
    assert begun.wait(60)
    rounds(second)
    eventually(lambda: idle(second))
    assert len(second.list_all()) == 1
