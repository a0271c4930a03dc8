"""A bus on a real engine, and subscribers that remember what they were told."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from host.clock import SystemClock
from host.db import Engine
from host.events import EventBus, Subscriber
from host.testing import open_engine
from plugin_sdk import Event

LOG = logging.getLogger("stagebox.test.events")


class Listener:
    """Remembers events; while ``gate`` is closed it hangs in the first one."""

    def __init__(self, owner: str, event: str) -> None:
        self.owner = owner
        self.events: list[Event] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.subscriber = Subscriber(owner, event, self)

    def __call__(self, event: Event) -> None:
        self.entered.set()
        assert self.gate.wait(30)
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.data["n"] for event in self.events]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path / "data")
    yield engine
    engine.close()


@pytest.fixture
def make_bus(engine: Engine) -> Iterator[Callable[..., EventBus]]:
    made: list[EventBus] = []

    def make(*, start: bool = True, **options: object) -> EventBus:
        bus = EventBus(SystemClock(), LOG, **options)  # type: ignore[arg-type]
        made.append(bus)
        if start:
            bus.start()
        return bus

    yield make
    for bus in made:
        bus.stop(10)


@pytest.fixture
def bus(make_bus: Callable[..., EventBus], engine: Engine) -> EventBus:
    return make_bus()


@pytest.fixture
def listen(make_bus: object) -> Iterator[Callable[[str, str], Listener]]:
    made: list[Listener] = []

    def make(owner: str, event: str) -> Listener:
        made.append(Listener(owner, event))
        return made[-1]

    yield make
    for listener in made:
        listener.gate.set()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition, with a deadline."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "this did not come to pass"
            time.sleep(0.005)

    return wait


@pytest.fixture
def rows(engine: Engine) -> Callable[[str], int]:
    """How many rows are in the outbox of a plugin."""

    def count(name: str) -> int:
        value = engine.open(name).value("SELECT COUNT(*) FROM _stagebox_outbox")
        assert isinstance(value, int)
        return value

    return count


@pytest.fixture
def undone() -> Callable[[Engine, str], AbstractContextManager[None]]:
    """A transaction on a database that is rolled back at its end."""

    class Undone(Exception):
        pass

    @contextmanager
    def transaction(engine: Engine, name: str) -> Iterator[None]:
        try:
            with engine.open(name).transaction():
                yield
                raise Undone
        except Undone:
            pass

    return transaction
