"""Start and stop."""

from __future__ import annotations

import io
import socket
import sys
import threading
from typing import Any

import pytest

from host.errors import ConfigurationError
from tests.ports import free_ports


class Gate:
    """An application whose /wait answers when told."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/wait":
            self.inside.set()
            assert self.go.wait(60)
        body = environ["wsgi.input"].read() or b"ok"
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


def stopping(served: Any, timeout: float = 60) -> tuple[threading.Thread, list[bool]]:
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(served.server.stop(timeout)))
    thread.start()
    return thread, results


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def test_stop_finishes_what_is_under_way_and_refuses_what_comes(serve, wait_for):
    app = Gate()
    served = serve(app)
    busy, idle, uploading = served.client(), served.client(), served.client()
    idle.get("/")
    uploading.send("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
    wait_for(lambda: any(c.request is not None for c in served.channels()), "half a request")
    busy.send("GET /wait HTTP/1.1\r\n\r\n")
    assert app.inside.wait(20)
    address = served.address
    thread, results = stopping(served)
    wait_for(lambda: refused(address), "refusal of connections")
    assert idle.ended()
    uploading.send("def")
    reply = uploading.reply()
    assert (reply.body, reply.headers["Connection"]) == (b"abcdef", "close")
    app.go.set()
    reply = busy.reply()
    assert (reply.body, reply.headers["Connection"]) == (b"ok", "close")
    thread.join(60)
    assert results == [True]


def test_stop_answers_what_was_pipelined(serve, wait_for):
    app = Gate()
    served = serve(app)
    client = served.client()
    client.send("GET /wait HTTP/1.1\r\n\r\n")
    assert app.inside.wait(20)
    thread, results = stopping(served)
    wait_for(lambda: served.server._site.stopping, "stop")
    app.go.set()
    assert client.reply().headers["Connection"] == "close"
    assert client.ended()
    thread.join(60)
    assert results == [True]


def test_stop_finishes_bodies_that_are_being_sent(serve, wait_for):
    size = 30_000_000
    file = io.BytesIO(bytes(size))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    served = serve(app)
    client = served.client()
    client.send("GET / HTTP/1.1\r\n\r\n")
    assert client.socket.recv(10, socket.MSG_PEEK)
    thread, results = stopping(served)
    wait_for(lambda: served.server._site.stopping, "stop")
    assert len(client.reply().body) == size
    thread.join(60)
    assert results == [True]
    assert file.closed


def test_stop_does_not_wait_for_half_a_head(serve):
    served = serve()
    client = served.client()
    client.get("/")
    client.send("GET / HT")
    assert served.server.stop(20)
    assert client.ended()


def test_stop_gives_up_on_a_handler_that_hangs(serve):
    app = Gate()
    served = serve(app)
    client = served.client()
    client.send("GET /wait HTTP/1.1\r\n\r\n")
    assert app.inside.wait(20)
    assert served.server.stop(0.2) is False
    assert client.ended()
    app.go.set()  # so that its thread can end


def test_stop_cuts_off_a_client_that_reads_nothing(serve):
    file = io.BytesIO(bytes(30_000_000))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    served = serve(app)
    client = served.client()
    client.send("GET / HTTP/1.1\r\n\r\n")
    assert client.socket.recv(10)
    assert served.server.stop(0.2) is False
    assert file.closed


def test_stop_twice_and_without_start(serve):
    served = serve()
    assert served.server.stop(10)
    assert served.server.stop(10)


def test_switch_interval_is_short_while_the_server_runs(serve):
    before = sys.getswitchinterval()
    served = serve(switch_seconds=before / 10)
    assert sys.getswitchinterval() == pytest.approx(before / 10)
    other = serve(switch_seconds=before / 2)
    assert sys.getswitchinterval() == pytest.approx(before / 10)
    assert other.server.stop(10)
    assert sys.getswitchinterval() == pytest.approx(before / 10)
    assert served.server.stop(10)
    assert sys.getswitchinterval() == before


def test_port_is_free_again_at_once(serve):
    (port,) = free_ports(1)  # of those that the system gives to nobody else in between
    served = serve(listen=[f"127.0.0.1:{port}"])
    client = served.client()
    client.get("/")
    address = served.server.addresses[0]
    assert served.server.stop(10)
    again = serve(listen=[address])
    assert again.get("/").status == 200


def test_address_in_use_is_named_and_nothing_is_left_behind(serve):
    taken = serve().server.addresses[0]
    with pytest.raises(ConfigurationError, match=taken):
        serve(listen=["127.0.0.1:0", taken])


@pytest.mark.parametrize(
    "address", ["8085", "127.0.0.1", ":80", "127.0.0.1:http", "no such host:1", "127.0.0.1:99999"]
)
def test_unusable_address_is_named(serve, address):
    with pytest.raises(ConfigurationError, match=address):
        serve(listen=[address])
