"""The web layer behind real sockets: plain waitress, and the host's own server on top of it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import waitress
from waitress import wasyncore

from host.server import Server
from plugin_sdk import JSON, MULTIPART, Response, Route, WebSocketRoute
from tests.waiting import eventually

BIG = 3_000_000
HUGE = 200 * 1024 * 1024  # more than the sockets' buffers hold; sparse on the disk


def wait_for(condition: Callable[[], object], what: str) -> None:
    eventually(condition, what=what)


class PlainWaitress:
    """waitress as it comes, on a port of its own."""

    def __init__(self, site: Any) -> None:
        self._map: dict[Any, Any] = {}
        self._stopping = False
        self._server = waitress.create_server(
            site.layer.gateway, map=self._map, host="127.0.0.1", port=0, threads=4
        )
        self.port = self._server.effective_port
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            wasyncore.poll(0.05, self._map)
        wasyncore.close_all(self._map)

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(20)
        self._server.task_dispatcher.shutdown()


class OwnServer:
    def __init__(self, site: Any) -> None:
        layer = site.layer
        self._server = Server(
            layer.gateway,
            listen=["127.0.0.1:0"],
            threads=4,
            body_limit=layer.body_limit,
            render_error=layer.render_error,
            upgrades=layer.upgrades,
            log=site.log,
        )
        self._server.start()
        self.port = int(self._server.addresses[0].rpartition(":")[2])

    def stop(self) -> None:
        assert self._server.stop(60)


@pytest.fixture(params=[PlainWaitress, OwnServer])
def served(request, site, tmp_path: Path) -> Iterator[Any]:
    film = tmp_path / "film.mp4"
    film.write_bytes(os.urandom(BIG))
    site.film = film
    site.gates = site.add(
        "x",
        Route("GET", "/do", lambda r: {"peer": r.peer}, access="open"),
        Route("GET", "/film", lambda r: Response.file(film), access="open"),
        Route("GET", "/stream", lambda r: Response.stream(endless()), access="open"),
        Route("GET", "/list", lambda r: Response.stream([b"ab", b"cd"], length=4), access="open"),
        Route("GET", "/bad", lambda r: 1 / 0, access="open"),
        Route("POST", "/echo", lambda r: r.body, access="open", body={}, max_body=100),
        Route("POST", "/form", lambda r: [f.size for f in r.form.files], access="open",
              consumes=(MULTIPART,), max_body=2_000_000),
    ).gate  # fmt: skip
    server = request.param(site)
    site.port = server.port
    yield site
    server.stop()
    wait_for(lambda: site.slots.used == site.gates.inside == 0, "the leases are back")


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def connect(site: Any) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)


def ask(site: Any, method: str, path: str, **more: Any) -> Any:
    connection = connect(site)
    try:
        connection.request(method, f"/api/plugins/x{path}", **more)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def test_one_connection_many_answers(served):
    connection = connect(served)
    for method, path, status, body in [
        ("GET", "/do", 200, b'{"peer":"127.0.0.1"}'),
        ("HEAD", "/do", 200, b""),
        ("HEAD", "/film", 200, b""),
        ("HEAD", "/stream", 200, b""),
        ("GET", "/list", 200, b"abcd"),
        ("OPTIONS", "/do", 200, b""),
        ("GET", "/film", 206, served.film.read_bytes()[:5]),
        ("GET", "/nothing", 404, None),
        ("GET", "/bad", 500, None),
        ("GET", "/do", 200, b'{"peer":"127.0.0.1"}'),
    ]:
        connection.request(method, f"/api/plugins/x{path}", headers={"Range": "bytes=0-4"})
        reply = connection.getresponse()
        content = reply.read()
        assert reply.status == status, path
        assert body is None or content == body, path
        assert reply.getheader("X-Request-Id"), path
    connection.close()


def test_whole_films_and_parts(served):
    content = served.film.read_bytes()
    status, headers, body = ask(served, "GET", "/film")
    assert (status, body, headers["content-length"]) == (200, content, str(BIG))
    for text, start, stop in [("1000-", 1000, BIG), ("-7", BIG - 7, BIG), ("5-999999", 5, 10**6)]:
        status, headers, body = ask(served, "GET", "/film", headers={"Range": f"bytes={text}"})
        assert status == 206
        assert body == content[start:stop]
        assert headers["content-range"] == f"bytes {start}-{stop - 1}/{BIG}"
    wait_for(lambda: served.gates.inside == 0, "the leases are back")


def test_who_leaves_in_the_middle_frees_everything(served):
    os.truncate(served.film, HUGE)
    for path in ("/film", "/stream"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as raw:
            raw.sendall(f"GET /api/plugins/x{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert raw.recv(100)
        wait_for(lambda: served.gates.inside == 0, f"the lease of {path} is back")
    wait_for(lambda: len(served.records) == 2, "both are in the access log")


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(served):
    os.truncate(served.film, HUGE)
    received = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as raw:
        raw.sendall(b"GET /api/plugins/x/film HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert raw.recv(100)
        os.truncate(served.film, 100)
        while chunk := raw.recv(1024 * 1024):
            received += len(chunk)
    assert received < HUGE
    wait_for(lambda: served.gates.inside == 0, "the lease is back")


def test_bodies(served):
    headers = {"Content-Type": JSON}
    assert ask(served, "POST", "/echo", body=b'{"a":1}', headers=headers)[2] == b'{"a":1}'
    chunked = iter([b'{"a"', b":2}"])
    reply = ask(served, "POST", "/echo", body=chunked, headers=headers, encode_chunked=True)
    assert (reply[0], reply[2]) == (200, b'{"a":2}')
    status, _, body = ask(served, "POST", "/echo", body=b"x" * 101, headers=headers)
    assert (status, json.loads(body)["error"]) == (413, "PAYLOAD_TOO_LARGE")


def test_forms(served):
    content = b"z" * 1_500_000
    body = (
        b'--q\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        + content
        + b"\r\n--q--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=q"}
    assert ask(served, "POST", "/form", body=body, headers=headers)[2] == b"[1500000]"


def test_the_hosts_server_upgrades(site):
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect as dial

    def live(connection: Any) -> None:
        connection.on_message(lambda text: connection.send(f"{connection.principal.id}: {text}"))

    site.add("live", WebSocketRoute("/ws", live, max_connections=1), routes={"prefix": "/live"})
    server = OwnServer(site)
    url = f"ws://127.0.0.1:{server.port}/live/ws"
    try:
        with pytest.raises(InvalidStatus) as caught:
            dial(url)
        assert caught.value.response.status_code == 401
        with pytest.raises(InvalidStatus) as caught:
            dial(f"{url}?token=alice", origin="http://evil.example")
        assert caught.value.response.status_code == 403
        with dial(f"{url}?token=alice", origin=f"http://127.0.0.1:{server.port}") as client:
            client.send("hi")
            assert client.recv(timeout=20) == "profile-1: hi"
            with pytest.raises(InvalidStatus) as caught:
                dial(f"{url}?token=alice")
            assert caught.value.response.status_code == 503
            gate = site.catalog.plugins["live"].gate
            site.remove("live")
            server._server.hub.close_gone()
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=20)
        wait_for(lambda: gate.inside == 0, "the lease is back")
    finally:
        server.stop()


def test_head_of_a_stream_does_not_say_that_it_is_empty(site):
    site.add("x", Route("GET", "/stream", lambda r: Response.stream(endless()), access="open"))
    server = OwnServer(site)
    site.port = server.port
    try:
        status, headers, _ = ask(site, "HEAD", "/stream")
        assert (status, headers.get("content-length")) == (200, None)
    finally:
        server.stop()
