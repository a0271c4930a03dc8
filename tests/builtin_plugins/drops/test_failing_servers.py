"""Drop servers that fail, in one way or another, and connections that are kept."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from host.testing import TestHost

from .conftest import PATIENT, Person


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{'s' * 43}"


@pytest.fixture
def refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/{'r' * 43}"


class Small(BaseHTTPRequestHandler):
    """A drop server with one message, then without news."""

    protocol_version = "HTTP/1.1"
    clients: ClassVar[list[Any]] = []
    connections: ClassVar[list[socket.socket]] = []

    def setup(self) -> None:
        super().setup()
        self.connections.append(self.connection)

    def do_GET(self) -> None:
        self.clients.append(self.client_address)
        if "x-qabel-new-since" in self.headers:
            self.send_response(304)
            self.end_headers()
            return
        body = b"--b\r\n\r\n" + b"x" * 2149 + b"\r\n--b--\r\nbehind it: " + b"y" * 5000
        self.send_response(200)
        self.send_header("Content-Type", "multipart/mixed; boundary=b")
        self.send_header("X-Qabel-Latest", "1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


class SmallServer(ThreadingHTTPServer):
    daemon_threads = False  # joined at its end


@pytest.fixture
def small() -> Iterator[str]:
    Small.clients.clear()
    Small.connections.clear()
    with SmallServer(("127.0.0.1", 0), Small) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{'m' * 43}"
        for connection in Small.connections:  # they are kept, so their threads wait
            with suppress(OSError):  # the host may have ended it
                connection.shutdown(socket.SHUT_RDWR)
        server.shutdown()
        thread.join(30)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """Reads boxes, its own drop server's among them."""
    with TestHost(tmp_path_factory.mktemp("drops"), settings=PATIENT) as host:
        host.put("/settings", json={"key": "poll_interval", "value": 0})
        host.enable("drop_server")
        yield host


@pytest.fixture
def people(host: TestHost) -> tuple[Person, Person]:
    """Alice and Bob. The host is Bob's; what Alice sends is laid into his box."""
    host.host.settings.replace("drops", PATIENT["drops"])
    alice, bob = Person(host, host), Person(host, host)
    bob.know(alice)
    return alice, bob


def test_connections_are_kept_between_rounds(
    people: tuple[Person, Person], small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.outbound.pool._KEPT_SECONDS", 300.0)
    alice, bob = people
    bob.know(alice, identities=[{**bob.identity(), "drops": [small]}])
    for _ in range(4):
        answer = bob.host.get("/drop")
        assert answer.status == 204
        assert "x-qabel-drop-errors" not in answer.headers
    assert len(Small.clients) == 4
    assert len(set(Small.clients)) == 1


def test_dead_drop_servers_never_fail_a_get(
    people: tuple[Person, Person], silent: str, refusing: str, wait_until: Callable[..., None]
) -> None:
    """One has to be waited for; on a busy machine now and then the living one seems dead, too."""
    alice, bob = people
    wrong = f"{bob.server.url}/settings/{'w' * 43}"
    drops = [silent, refusing, wrong, bob.box]
    bob.know(alice, identities=[{**bob.identity(), "drops": drops}])
    bob.host.host.settings.update("drops", {"boxTimeoutSeconds": 1.0})
    bob.receives(alice, {"n": 1})
    found: list[Any] = []

    def failed_boxes() -> str:
        answer = bob.host.get("/drop")
        assert answer.status in (200, 204)
        found.extend(answer.json() if answer.status == 200 else ())
        return str(answer.headers["x-qabel-drop-errors"])

    wait_until(lambda: failed_boxes() == "3" and found, 60)
    assert [each["data"] for each in found] == [{"n": 1}]
    wait_until(lambda: failed_boxes() == "3", 60)
    assert len(found) == 1
    own = [each for each in bob.host.log_lines() if each["logger"] == "plugin.drops"]
    assert any("failed" in each["message"] for each in own)
    for url in drops:  # the ids of boxes are secrets of those who share them
        assert url.rpartition("/")[2] not in json.dumps(own)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bob.host.head, "/drop")
        assert bob.host.get("/settings").status == 200
        assert waiting.result().status == 204


def test_a_failed_box_is_read_on_from_where_it_was(people: tuple[Person, Person]) -> None:
    alice, bob = people
    bob.receives(alice, {"n": 1})
    assert len(bob.fetch()) == 1
    bob.server.disable("drop_server")
    try:
        answer = bob.host.get("/drop")
        assert (answer.status, answer.headers["x-qabel-drop-errors"]) == (204, "1")
    finally:
        bob.server.enable("drop_server")
    bob.receives(alice, {"n": 2})
    assert [each["data"] for each in bob.fetch()] == [{"n": 2}]
