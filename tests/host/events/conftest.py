"""A bus on a real engine, and subscribers that remember what they were told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from host.clock import SystemClock
from host.db import Engine
from host.events import EventBus, Subscriber
from plugin_sdk import Event, Events

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
        assert self.gate.wait(60)
        self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event.data["n"] for event in self.events]


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
        bus.stop(60)


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
def rows(engine: Engine) -> Callable[[str], int]:
    """How many rows are in the outbox of a plugin."""

    def count(name: str) -> int:
        value = engine.open(name).value("SELECT COUNT(*) FROM _stagebox_outbox")
        assert isinstance(value, int)
        return value

    return count


@pytest.fixture
def rooms(bus: EventBus, engine: Engine) -> Events:
    """What the plugin ``rooms`` emits with."""
    return bus.emitter("rooms", engine.open("rooms"))
