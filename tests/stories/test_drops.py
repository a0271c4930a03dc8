"""Hosts that exchange encrypted messages through a drop server, each a process of its own."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from builtin_plugins.drops.keys import new_private_key, public_key_of
from builtin_plugins.drops.sealing import seal_pdu
from builtin_plugins.drops.wire import Message, wire_text
from host.app import Host
from host.config import load_config
from host.testing import database_of

POSTED = {"Authorization": "Client Qabel"}
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to load authorities for nothing takes long


class Person:
    """A host with one identity."""

    def __init__(self, served: Any, *boxes: str) -> None:
        self.served = served
        self.private = new_private_key()
        self.key = public_key_of(self.private)
        self.boxes = boxes

    def know(self, other: Person) -> None:
        mine = {"alias": "me", "keys": {"private_key": self.private}, "drops": [*self.boxes]}
        contact = {
            "alias": "other",
            "public_key": other.key,
            "my_identity": self.key,
            "drop_urls": [*other.boxes],
        }
        self.posts("/synced", {"identities": [mine], "contacts": [contact]})

    def posts(self, path: str, document: Any, status: int = 200) -> Any:
        answer = self.served.client.post(path, json=document)
        assert answer.status_code == status, answer.text
        return answer

    def puts(self, path: str, key: str, value: Any) -> None:
        body = {"key": key, "value": value}
        assert self.served.client.put(path, json=body).status_code == 200

    def sends(self, number: int) -> None:
        """Again, while a busy machine lets all boxes seem dead: twice the same is listed once."""
        message = {"model_object": "chat", "data": {"n": number}, "time_stamp": 1}
        body = {"recipients": [1], "sender": 1, "drop_message": message}
        deadline = time.monotonic() + 60
        while (answer := self.served.client.post("/drop", json=body)).status_code == 502:
            assert time.monotonic() < deadline, answer.text
        assert answer.status_code == 201, answer.text

    def fetches(self, query: str = "") -> list[int]:
        answer = self.served.client.get("/drop" + query)
        assert answer.status_code in (200, 204), answer.text
        return [each["data"]["n"] for each in answer.json()] if answer.status_code == 200 else []

    def sealed(self, sender: Person, number: int) -> bytes:
        message = Message(1, sender.key, "chat", {"n": number})
        own = bytes.fromhex(sender.private)
        return seal_pdu(own, bytes.fromhex(self.key), wire_text(message))


def prepared(folder: Path, *, drop_server: bool = False, **settings: Any) -> Path:
    """Data of a host that is served afterwards. In this process: that is quicker than commands."""
    flags = {"data_dir": str(folder), "database": database_of(folder) or None}
    host = Host(load_config(flags, {}), env={}, log_file=False)
    try:
        host.open()
        host.settings.update("drops", settings)
        if drop_server:
            host.manager.wishes.set("drop_server", True)
    finally:
        host.stop()
    return folder


@pytest.fixture
def drop_server(serve: Callable[..., Any], tmp_path: Path) -> Any:
    return serve(data_dir=prepared(tmp_path / "drops", drop_server=True))


class Relay(BaseHTTPRequestHandler):
    """In front of a drop server; ``server.passed`` is set when an answer has gone through."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = {
            name: value
            for name, value in self.headers.items()
            if name.lower() in ("x-qabel-new-since", "if-modified-since")
        }
        answer = httpx.get(
            self.server.behind + self.path, headers=wanted, verify=_PLAIN, timeout=30
        )  # type: ignore[attr-defined]
        self.send_response(answer.status_code)
        for name in ("content-type", "x-qabel-latest", "last-modified"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)
        self.server.passed.set()  # type: ignore[attr-defined]

    def log_message(self, *args: object) -> None:
        return


class RelayServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.behind = behind
        self.passed = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def relayed(behind: str) -> Iterator[RelayServer]:
    with RelayServer(behind) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join(30)


def new_box(served: Any) -> str:
    return f"{served.url}/drops/{secrets.token_urlsafe(32)}"


@contextmanager
def silent() -> Iterator[str]:
    """A drop server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{'s' * 43}"


def dead() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/{'d' * 43}"


def delivered(box: str, pdu: bytes) -> bool:
    answer = httpx.post(box, content=pdu, headers=POSTED, verify=_PLAIN, timeout=30)
    return answer.status_code == 200


def test_two_hosts_exchange_drops_through_a_third(
    serve: Callable[..., Any],
    drop_server: Any,
    tmp_path: Path,
    wait_until: Callable[..., None],
) -> None:
    folders = [prepared(tmp_path / name, boxTimeoutSeconds=1.0) for name in ("alice", "bob")]
    hosts = [serve(data_dir=folder) for folder in folders]
    assert len({each.process.pid for each in (*hosts, drop_server)}) == 3
    with silent() as nobody:
        alice = Person(hosts[0], new_box(drop_server))
        bob = Person(hosts[1], dead(), nobody, new_box(drop_server), new_box(drop_server))
        for person, other in ((alice, bob), (bob, alice)):
            person.know(other)
        alice.puts("/settings", "poll_interval", 0)
        bob.puts("/settings", "poll_interval", 50)
        for number in range(3):
            alice.sends(number)  # to the third of Bob's boxes: the first two are dead
        for box in bob.boxes[2:]:
            pdu = bob.sealed(alice, 3)
            for _ in range(2):  # the same bytes, another sealing, another box
                assert delivered(box, pdu)
        found: Counter[int] = Counter()
        wait_until(lambda: found.update(bob.fetches()) or len(found) == 4, 60)
        for _ in range(3):
            found.update(bob.fetches())
        assert found == {0: 1, 1: 1, 2: 1, 3: 1}
        assert Counter(bob.fetches("?all=true")) == found

        def two_are_dead() -> bool:  # and on a busy machine, now and then, another one seems so
            answer = bob.served.client.head("/drop")
            return (answer.status_code, answer.headers["x-qabel-drop-errors"]) == (204, "2")

        wait_until(two_are_dead, 60)
        bob.sends(4)
        wait_until(lambda: alice.fetches() == [4], 60)


def test_kill_9_between_fetch_and_answer_loses_nothing(
    serve: Callable[..., Any], drop_server: Any, tmp_path: Path
) -> None:
    """One box never answers and holds the call open, while what another one gave is opened and
    stored. There the host is killed: at once, and a little later."""
    with silent() as nobody, relayed(drop_server.url) as relay:
        # What stalls here must not let the call be answered before the host is killed.
        served = serve(data_dir=prepared(tmp_path / "bob", boxTimeoutSeconds=60.0))
        box = new_box(drop_server)
        relay_box = relay.url + box.removeprefix(drop_server.url)
        bob, alice = Person(served, relay_box, nobody), Person(None, dead())
        bob.puts("/settings", "poll_interval", 0)  # first: a round of the background takes long
        bob.know(alice)
        for turn, pause in enumerate((0.0, 0.1)):
            for number in range(turn * 20, turn * 20 + 20):
                pdu = bob.sealed(alice, number)
                assert delivered(box, pdu)
            relay.passed.clear()
            answers = ask_until_killed(served, relay.passed, pause)
            assert answers == []
            served.start()
        bob.puts("/synced", "identities.0.drops", [relay_box])
        listed = Counter(bob.fetches())
        assert listed == dict.fromkeys(range(40), 1)
        assert bob.fetches() == []
        assert Counter(bob.fetches("?all=true")) == listed


def ask_until_killed(served: Any, passed: threading.Event, pause: float) -> list[Any]:
    """Answers of a ``GET /drop`` that is under way when the host is killed: none."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(served.client.get("/drop"))
        except httpx.HTTPError:
            pass  # the host was killed under this request

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert passed.wait(30)
        threading.Event().wait(pause)  # no matter how long: whenever it is, nothing may be lost
    finally:
        served.kill()
        client.join()
    return answers
