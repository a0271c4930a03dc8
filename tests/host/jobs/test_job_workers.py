from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from host.jobs.rounds import Round
from host.jobs.workers import Workers

LOG = logging.getLogger("stagebox.test.workers")


def test_work_that_comes_while_a_worker_finds_none() -> None:
    looks = 0
    again = threading.Event()

    def work() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            workers.wake()  # too late to be seen by this look, and nobody sleeps yet
        else:
            again.set()
        return False

    workers = Workers(1, work, LOG)
    workers.start()
    workers.wake()
    assert again.wait(60)
    workers.close()
    assert workers.join(60)


def test_a_worker_survives_what_work_raises(eventually: Callable[..., None]) -> None:
    calls: list[int] = []

    def work() -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is away")
        return False

    workers = Workers(1, work, LOG)
    workers.wake()
    assert calls == [], "not open yet"
    workers.start()
    workers.wake()
    eventually(lambda: len(calls) == 1)
    workers.wake()
    eventually(lambda: len(calls) >= 2)
    workers.close()
    assert workers.join(60)
    assert len(calls) <= 3


def test_a_round_goes_on_whatever_its_steps_raise(eventually: Callable[..., None]) -> None:
    told: list[str] = []
    taken: list[int] = []

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    log = logging.Logger("round")
    log.addHandler(Told())
    failing = True

    def fail() -> None:
        if failing:
            raise ValueError("no luck")

    going = Round("test", 0.001, {"fail": fail, "work": lambda: taken.append(1)}, log)
    going.start()
    eventually(lambda: len(taken) >= 5)
    assert len(told) == 1, "once until it works again"
    failing = False
    seen = len(taken)
    eventually(lambda: len(taken) >= seen + 3)
    failing = True
    eventually(lambda: len(told) == 2)
    going.stop(60)
    assert not [t for t in threading.enumerate() if t.name == "stagebox-test"]


def test_a_round_that_is_stopped_while_it_begins_anew_ends() -> None:
    class Woken(threading.Event):
        def clear(self) -> None:
            if not steps:
                ended._ended = True  # as `stop` does it, and its word is lost
                self.set()
            super().clear()

    steps: list[int] = []
    ended = Round("test", 1000.0, {"count": lambda: steps.append(1)}, LOG)
    ended._woken = Woken()
    ended.start()
    thread = ended._thread
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    assert steps == []
