"""Threads that carry out tasks: which of them wakes, and when."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from host.server.workers import Workers

LOG = logging.getLogger("tests.workers")


class Call:
    """A task: a function to be called."""

    def __init__(self, function: Callable[[], object]) -> None:
        self.service = function


@pytest.fixture
def workers(wait_for) -> Iterator[Callable[[int], Workers]]:
    made: list[Workers] = []

    def make(count: int) -> Workers:
        made.append(Workers("test", count, LOG))
        made[-1].start()
        wait_for(lambda: len(made[-1]._sleeping) == count, "sleep of all threads")
        return made[-1]

    yield make
    for each in made:
        assert each.stop(20)


@pytest.fixture
def held(workers, wait_for) -> Iterator[Workers]:
    """Four workers, one of which carries out a task that does not end."""
    four, begun, go = workers(4), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go.wait(60)

    four.add_task(Call(wait))
    assert begun.wait(20)
    yield four
    go.set()


def test_who_fell_asleep_last_is_woken_first(workers, wait_for):
    four = workers(4)
    names: list[str] = []
    for _ in range(20):
        four.add_task(Call(lambda: names.append(threading.current_thread().name)))
        wait_for(lambda: len(four._sleeping) == 4, "the end of the task")
    assert len(names) == 20
    assert len(set(names)) == 1


def test_what_is_left_waits_for_a_thread_that_is_awake(held):
    done = threading.Event()
    held.leave(Call(done.set))
    assert held.behind
    assert len(held._sleeping) == 3


def test_what_is_left_does_not_wait_for_a_thread_that_is_stuck(held, wait_for):
    done = [threading.Event() for _ in range(2)]
    held.leave(Call(done[0].set))
    wait_for(lambda: held.attend() or done[0].is_set(), "the first task")
    wait_for(lambda: len(held._sleeping) == 3, "sleep after it")
    # It is known by now that the one that is awake is at something long.
    held.leave(Call(done[1].set))
    assert done[1].wait(20)


def test_others_are_woken_one_by_one_while_all_are_stuck(held, wait_for):
    go, begun = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        begun.release()
        assert go.wait(60)

    for _ in range(5):
        held.leave(Call(wait))
    for _ in range(3):
        wait_for(lambda: held.attend() or begun.acquire(blocking=False), "one more of them")
    held.attend()
    assert held.behind  # all four are taken
    go.set()
    wait_for(lambda: not held.behind, "the last two")


def test_a_task_that_waits_for_something_lets_others_begin(workers, wait_for):
    """Tasks do begin, though far too few: the processor has nothing to do meanwhile."""
    four, ended = workers(4), threading.Event()
    most = [0]

    def nap() -> None:
        most[0] = max(most[0], 4 - len(four._sleeping))
        ended.wait(0.005)
        if not ended.is_set():
            four.leave(Call(nap))

    for _ in range(8):
        four.leave(Call(nap))
    wait_for(lambda: four.attend() or most[0] == 4, "four at once")
    ended.set()
    wait_for(lambda: len(four._sleeping) == 4, "the end of all")


def test_every_task_is_carried_out_once(workers, wait_for):
    four, done, lock = workers(4), [0] * 4000, threading.Lock()

    def note(number: int) -> None:
        with lock:
            done[number] += 1

    def add(first: int) -> None:
        for number in range(first, 4000, 4):
            (four.leave if number % 3 else four.add_task)(Call(lambda n=number: note(n)))

    adders = [threading.Thread(target=add, args=(first,)) for first in range(4)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    wait_for(lambda: four.attend() or len(four._sleeping) == 4, "the end of all")
    assert done == [1] * 4000
    assert not four.behind


def test_a_task_that_fails_costs_nobody_else(workers, caplog):
    one, done = workers(1), threading.Event()

    def fail() -> None:
        raise SystemExit("out")

    one.add_task(Call(fail))
    one.add_task(Call(done.set))
    assert done.wait(20)
    assert "A task of test failed" in caplog.text


def test_stop_carries_out_what_waits_and_gives_up_on_what_hangs(workers):
    one, begun, go = workers(1), threading.Event(), threading.Event()
    order: list[int] = []

    def wait() -> None:
        begun.set()
        assert go.wait(60)

    one.add_task(Call(wait))
    assert begun.wait(20)
    one.leave(Call(lambda: order.append(1)))
    one.add_task(Call(lambda: order.append(2)))
    assert not one.stop(0.01)
    go.set()
    assert one.stop(20)
    assert order == [1, 2]
