from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from host.db.fair_lock import FairLock


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _queue(
    lock: FairLock, order: list[int], number: int, moved: Callable[[], object] = lambda: False
) -> threading.Thread:
    """A thread that waits for the lock, and stands in the queue when this returns, unless somebody
    has ``moved`` out of it meanwhile."""

    def wait() -> None:
        assert lock.acquire(30)
        order.append(number)
        lock.release()

    before = len(lock._waiting)
    thread = threading.Thread(target=wait)
    thread.start()
    _until(lambda: len(lock._waiting) == before + 1 or moved())
    return thread


def test_one_holds_it() -> None:
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0)


def test_it_is_given_in_the_order_of_asking() -> None:
    lock = FairLock()
    order: list[int] = []
    assert lock.acquire(0)
    threads = [_queue(lock, order, number) for number in range(6)]
    lock.release()
    assert lock.acquire(30)  # behind all of them
    assert order == list(range(6))
    lock.release()
    for thread in threads:
        thread.join()


def test_who_gives_up_waiting_loses_nobody_a_turn() -> None:
    lock = FairLock()
    order: list[int] = []
    assert lock.acquire(0)
    gave_up = threading.Event()
    impatient = threading.Thread(target=lambda: lock.acquire(0.2) or gave_up.set())
    impatient.start()
    _until(lambda: lock._waiting or gave_up.is_set())
    patient = _queue(lock, order, 1, gave_up.is_set)
    assert gave_up.wait(30)
    lock.release()
    for thread in (impatient, patient):
        thread.join()
    assert order == [1]
    assert lock.acquire(0)


def test_an_interrupt_while_waiting_loses_nobody_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FairLock()
    assert lock.acquire(0)

    class Interrupted:
        """A lock whose waiting is interrupted, before or after it was handed over."""

        handed_over = False

        def acquire(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return True
            if self.handed_over:
                lock.release()
            raise KeyboardInterrupt

        def release(self) -> None:
            pass

    for handed_over in (False, True):
        Interrupted.handed_over = handed_over
        with monkeypatch.context() as patch:
            patch.setattr("host.db.fair_lock.threading.Lock", Interrupted)
            with pytest.raises(KeyboardInterrupt):
                lock.acquire(30)
        if not handed_over:
            lock.release()
        assert lock.acquire(0)


def test_many_threads_exclude_each_other() -> None:
    lock = FairLock()
    count = 0

    def work() -> None:
        nonlocal count
        for _ in range(200):
            assert lock.acquire(30)
            seen = count
            time.sleep(0)
            count = seen + 1
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 1200
