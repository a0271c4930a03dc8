"""The hub by itself, as another server than waitress would use it, and its threads."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from host.server import Hub
from host.server.lanes import Lanes
from host.server.workers import Workers
from plugin_sdk import Request, WebSocketRoute

LOG = logging.getLogger("tests.hub")
HELLO = Frame(Opcode.TEXT, b"hello")


class Session:
    def __init__(self, handler: Any, **limits: Any) -> None:
        self.limits = WebSocketRoute("/ws", handler, **limits)
        self.request = Request(path="/ws")
        self.returned = threading.Event()

    def opened(self, connection: Any) -> None:
        self.limits.handler(connection)

    def invoke(self, callback: Any, *args: Any) -> None:
        callback(*args)

    def closed(self) -> None:
        self.returned.set()

    def gone(self) -> bool:
        return False


def echo(connection: Any) -> None:
    connection.on_message(connection.send)


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(LOG, callback_threads=2, close_seconds=0.2)
    hub.start()
    yield hub
    assert hub.stop(20)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(20)
        yield ours, theirs
    ours.close()


def test_any_connected_socket_will_do(hub, pair):
    ours, theirs = pair
    session = Session(echo)
    connection = hub.open(session, b"101 and so on\r\n\r\n")
    assert connection is not None
    hub.adopt(connection, ours, HELLO.serialize(mask=True))
    with theirs.makefile("rb") as reader:
        assert reader.read(17) == b"101 and so on\r\n\r\n"
        assert reader.read(7) == HELLO.serialize(mask=False)
    theirs.close()
    assert session.returned.wait(20)


def test_socket_that_is_lost_before_it_comes(hub, wait_for):
    session = Session(echo)
    connection = hub.open(session, b"")
    assert connection is not None
    hub.discard(connection)
    assert session.returned.wait(20)
    assert connection.closed
    wait_for(lambda: hub.connections == 0)


def test_what_is_sent_before_the_socket_comes_waits_for_it(hub, pair):
    ours, theirs = pair
    connection = hub.open(Session(echo), b"!")
    assert connection is not None
    assert connection.send("hello")
    hub.adopt(connection, ours)
    with theirs.makefile("rb") as reader:
        assert reader.read(8) == b"!" + HELLO.serialize(mask=False)


def test_room_is_kept_for_sockets_that_are_on_their_way(hub):
    session = Session(echo, max_connections=1)
    connection = hub.open(session, b"")
    assert connection is not None
    assert hub.open(session, b"") is None
    hub.discard(connection)


def test_hub_that_stops_takes_nothing_more(hub, pair):
    ours, theirs = pair
    connection = hub.open(Session(echo), b"")
    assert connection is not None
    hub.end_all()
    assert hub.open(Session(echo), b"") is None
    hub.adopt(connection, ours)
    with theirs.makefile("rb") as reader:
        assert reader.read(4) == b"\x88\x16\x03\xe9"  # close, 22 bytes, 1001


def test_socket_that_comes_after_the_end_is_closed(pair):
    ours, theirs = pair
    hub = Hub(LOG)
    hub.start()
    session = Session(echo)
    connection = hub.open(session, b"")
    assert connection is not None
    assert hub.stop(0.1) is False  # its socket never came
    hub.adopt(connection, ours)
    assert theirs.recv(1) == b""
    assert session.returned.wait(20)  # a callback thread may get its turn after that short stop


def test_worker_outlives_a_task_that_fails(caplog):
    workers = Workers("tests", 1, LOG)
    done = threading.Event()

    class Task:
        def __init__(self, act: Any) -> None:
            self.act = act

        def service(self) -> None:
            self.act()

    def fail() -> None:
        raise SystemExit

    workers.start()
    workers.add_task(Task(fail))
    workers.add_task(Task(done.set))
    assert done.wait(20)
    assert workers.stop(20)
    assert "failed" in caplog.text


def test_lane_is_no_wider_than_it_may_be():
    workers = Workers("tests", 4, LOG)
    lanes = Lanes(workers, 2)
    go = threading.Event()
    both = threading.Barrier(3)
    begun: list[int] = []

    class Task:
        def __init__(self, number: int) -> None:
            self.number = number

        def service(self) -> None:
            begun.append(self.number)
            if self.number < 2:
                both.wait(20)
                assert go.wait(20)

    class Other:
        done = threading.Event()

        def service(self) -> None:
            self.done.set()

    workers.start()
    for number in range(10):
        lanes.submit("wide", Task(number))
    both.wait(20)
    other = Other()
    lanes.submit("other", other)
    assert other.done.wait(20)
    assert sorted(begun) == [0, 1]
    go.set()
    assert workers_idle(lanes)
    assert sorted(begun) == list(range(10))
    assert workers.stop(20)


def workers_idle(lanes: Lanes) -> bool:
    end = threading.Event()
    for _ in range(2000):
        if not lanes._lanes:
            return True
        end.wait(0.01)
    return False
