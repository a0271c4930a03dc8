"""What the tests of S3 storage share."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_trouble import STEADY
from seaweed import Weed, weed

import builtin_plugins.s3_storage as s3_storage
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk.testing import FakeContext

__all__ = ["weed"]


@pytest.fixture(autouse=True)
def _steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is there may take its time, unless a test is about that."""
    monkeypatch.setattr("builtin_plugins.s3_storage.provider.Patience", lambda: STEADY)


@pytest.fixture(scope="session")
def folder_names() -> Iterator[str]:
    return (f"test-{number}" for number in itertools.count(1))


@pytest.fixture
def folder(folder_names: Iterator[str]) -> str:
    """A folder of the bucket that nobody has used."""
    return next(folder_names)


@pytest.fixture
def objects(weed: Weed) -> Iterator[Any]:
    """The store as another program sees it: a client of its own."""
    client = weed.client()
    yield client
    client.close()


@pytest.fixture
def make_context() -> Iterator[Callable[..., FakeContext]]:
    contexts: list[FakeContext] = []

    def make(settings: dict[str, Any]) -> FakeContext:
        folder = Path(s3_storage.__file__).parent
        context = FakeContext.for_folder(folder, settings=settings)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def context(weed: Weed, folder: str, make_context: Callable[..., FakeContext]) -> FakeContext:
    return make_context(weed.settings(folder))


@pytest.fixture
def storage(context: FakeContext) -> Iterator[S3Storage]:
    plugin = context.start(s3_storage.plugin)
    yield context.providers.active("storage")
    context.stop(plugin)


class Relay:
    """A TCP connection to somewhere else that can stand still and break, as networks do."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._target = 0
        self._changed = threading.Condition()
        self._pace = 0.0
        self._cuts: list[int] = []
        self._allowed: int | None = None
        self._open: set[socket.socket] = set()
        self._all: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def lead_to(self, port: int) -> None:
        self._target = port

    def allow(self, size: int | None) -> None:
        """Passes so many bytes more back to the client, then stands still."""
        with self._changed:
            self._allowed = size
            self._changed.notify_all()

    def slow_down(self, bytes_a_second: int) -> None:
        """Passes what the client sends at this pace."""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._pace = 65536 / bytes_a_second

    def cut_after_sending(self, *sizes: int) -> None:
        """Breaks the connections on which the client sends so many bytes, one for each size."""
        self._cuts = list(sizes)

    def cut(self) -> None:
        """Breaks all connections that there are."""
        with self._changed:
            sockets, self._open = self._open, set()
            self._changed.notify_all()
        for each in sockets:
            _shut(each)

    def refuse(self) -> None:
        """Takes no connections any more."""
        _shut(self._listener)
        self._listener.close()

    def close(self) -> None:
        self.refuse()
        self.cut()
        for thread in self._threads:
            thread.join(60)
        for each in self._all:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._target))
            self._all += (near, far)
            with self._changed:
                self._open |= {near, far}
            for pump in (self._there, self._back):
                thread = threading.Thread(target=pump, args=(near, far))
                self._threads.append(thread)
                thread.start()

    def _there(self, near: socket.socket, far: socket.socket) -> None:
        sent = 0
        try:
            while data := near.recv(65536):
                sent += len(data)
                if self._cuts and sent >= self._cuts[0]:
                    self._cuts.pop(0)
                    break
                far.sendall(data)
                time.sleep(self._pace)
        except OSError:
            pass
        _shut(far)
        _shut(near)

    def _back(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := far.recv(65536):
                while data:
                    count = self._granted(near, len(data))
                    if count is None:
                        return
                    near.sendall(data[:count])
                    data = data[count:]
        except OSError:
            pass
        finally:
            _shut(near)

    def _granted(self, near: socket.socket, wanted: int) -> int | None:
        """None on a connection that was cut: what is allowed after that is for others."""
        with self._changed:
            if near not in self._open:
                return None
            if self._allowed is None:
                return wanted
            if self._allowed == 0:
                self._changed.wait(0.5)
                return 0
            granted = min(wanted, self._allowed)
            self._allowed -= granted
            return granted


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@pytest.fixture
def relay() -> Iterator[Relay]:
    relay = Relay()
    yield relay
    relay.close()
