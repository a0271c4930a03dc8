"""Connections that take their time, and more of them than there may be."""

from __future__ import annotations

import threading
from typing import Any

import pytest

LONG = 100.0
"""Seconds: what a busy machine takes for a request must not count as idle."""


def test_idle_connection_is_closed(serve):
    served = serve(idle_seconds=0.2)
    served.server._idle_seconds = LONG
    client = served.client()
    assert client.get("/one").status == 200
    served.server._idle_seconds = 0.2
    assert client.ended()


def test_connection_that_never_says_a_word_is_closed(serve):
    assert serve(idle_seconds=0.2).client().ended()


def test_half_a_body_is_not_waited_for_for_ever(serve):
    client = serve(idle_seconds=0.2).client()
    client.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    assert client.ended()


def test_trickling_head_is_not_waited_for_for_ever(serve):
    client = serve(head_seconds=0.3).client()
    client.send("GET / HTTP/1.1\r\n")

    def trickle() -> None:  # each byte is activity, yet the head does not end
        for number in range(10_000):
            client.send(f"A{number}: b\r\n")
            threading.Event().wait(0.01)

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        trickle()


def test_slow_handler_is_not_an_idle_connection(serve, wait_for):
    inside, go = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            inside.set()
            assert go.wait(60)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    served = serve(app, idle_seconds=0.1)
    served.server._idle_seconds = LONG
    client, idle = served.client(), served.client()
    client.send("GET /slow HTTP/1.1\r\n\r\n")
    assert inside.wait(20)
    served.server._idle_seconds = 0.1
    assert idle.ended()  # so much time has passed
    served.server._idle_seconds = LONG
    go.set()
    assert client.reply().body == b"ok"


@pytest.mark.parametrize("chunk", [1000, 3_000_000], ids=["stream", "large chunks"])
def test_client_that_takes_nothing_gives_its_thread_back(serve, wait_for, chunk):
    closed = threading.Event()

    def chunks() -> Any:
        try:
            while True:
                yield b"x" * chunk
        finally:
            closed.set()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return chunks() if environ["PATH_INFO"] == "/endless" else [b"ok"]

    served = serve(app, threads=1, idle_seconds=0.3)
    served.server._idle_seconds = LONG
    stalled = served.client()
    stalled.send("GET /endless HTTP/1.1\r\n\r\n")
    assert stalled.socket.recv(100)
    served.server._idle_seconds = 0.3
    assert closed.wait(20)
    served.server._idle_seconds = LONG
    assert served.get("/next").body == b"ok"


def test_longest_idle_connection_makes_room(serve):
    served = serve(connections=5, idle_seconds=4)  # one that is idle for 0.2 s may have to go
    served.server._idle_seconds = LONG
    old = served.client()
    old.get("/")
    others = [served.client() for _ in range(10)]
    for client in others[-2:]:
        assert client.get("/").status == 200
    assert old.ended()


def test_more_connections_wait_while_all_are_busy(serve, wait_for):
    go = threading.Event()
    inside = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        inside.append(1)
        assert go.wait(60)
        start_response("200 OK", [("Content-Length", "2"), ("Content-Type", "text/plain")])
        return [b"ok"]

    served = serve(app, threads=8, connections=4, idle_seconds=20 * LONG)  # none goes for others
    clients = [served.client() for _ in range(8)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    wait_for(lambda: len(inside) >= 2, "requests")
    for _ in range(20):
        threading.Event().wait(0.005)
        assert len(served.channels()) <= 4
    go.set()
    assert [client.reply().body for client in clients] == [b"ok"] * 8
