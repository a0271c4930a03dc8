"""A host with rooms, a clock that moves, and clients of our own."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from host.testing import TestHost
from plugin_sdk.testing import FakeCommandIO


def _load_client() -> Any:
    """By its path: in this import mode tests are no packages."""
    path = Path(__file__).with_name("client.py")
    spec = importlib.util.spec_from_file_location("rooms_test_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


client_module = _load_client()


@dataclass
class Rooms:
    """A host, what happens beside it, and who talks to it."""

    host: TestHost
    clock_file: Path
    clients: list[Any] = field(default_factory=list)
    count: int = 0

    @property
    def plugin(self) -> Any:
        return self.host.plugin("rooms")

    @property
    def db(self) -> Any:
        return self.plugin.context.db

    def add(self, name: str | None = None) -> str:
        """A new open group of its own; returns its id."""
        self.count += 1
        room = f"room{self.count}"
        self.plugin.add_room(FakeCommandIO(), room, name)
        return room

    def client(self, *rooms: str) -> Any:
        """A new person, logged in to these rooms."""
        client = client_module.Client(self.host.url)
        self.clients.append(client)
        for room in rooms:
            client.login(room)
        return client

    def moderator(self, room: str) -> Any:
        """A new person who is logged in and moderates the room."""
        client = self.client(room)
        self.plugin.add_moderator_command(FakeCommandIO(), room, client.key)
        return client

    def set(self, **settings: Any) -> None:
        self.host.host.settings.update("rooms", settings)

    def move_clock(self, seconds: float) -> None:
        """So many seconds off the system's time, from now on."""
        part = self.clock_file.with_suffix(".part")
        part.write_text(str(seconds))
        part.replace(self.clock_file)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.clients.clear()


@pytest.fixture(scope="module")
def bundled(bundled: Any) -> Any:
    """The API document shows the routes."""
    return bundled and {*bundled, "api_docs"}


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    folder = tmp_path_factory.mktemp("rooms")
    clock = folder / "clock"
    env = {"STAGEBOX_TEST_CLOCK_OFFSET_FILE": str(clock)}
    with pytest.MonkeyPatch.context() as patch:
        # Nothing is tidied and written but by the tests: the clock that they move would begin it.
        patch.setattr("builtin_plugins.rooms.activity._SECONDS", 3600.0)
        with TestHost(folder / "data", env=env) as host:
            host.host.jobs.rest(60.0)
            yield Rooms(host, clock)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's time stands: what a test does takes nothing of the spans that it looks at."""
    now = time.time_ns()
    stopped = SimpleNamespace(time=lambda: now / 1e9, time_ns=lambda: now)
    monkeypatch.setattr("host.clock.time", stopped)


@pytest.fixture
def rooms(_shared: Rooms) -> Iterator[Rooms]:
    """The module's host; settings and clock are put back afterwards."""
    yield _shared
    _shared.close()
    _shared.clock_file.unlink(missing_ok=True)
    defaults = dict.fromkeys(_shared.plugin.context.settings)
    _shared.set(**defaults)


@pytest.fixture
def refused() -> Callable[..., int]:
    """The status with which a call is refused; 200 when it is not."""

    def status(call: Callable[..., object], *arguments: Any, **named: Any) -> int:
        try:
            call(*arguments, **named)
        except client_module.Refused as error:
            return int(error.status)
        return 200

    return status
