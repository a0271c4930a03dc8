"""Time and size, also against servers that mean no good."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from host.outbound import OutboundClient
from host.outbound.addresses import Address
from plugin_sdk import Invalid, UpstreamFailed


def test_an_answer_that_is_too_large(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 1001)
    assert len(client.request("GET", server.url, max_bytes=1001).content) == 1001
    with pytest.raises(UpstreamFailed, match="larger than 1000 bytes"):
        client.request("GET", server.url, max_bytes=1000)


def test_an_answer_without_length_is_read_to_the_limit_only(
    server: Any, client: OutboundClient
) -> None:
    sent = []

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(b"x" * 65536)
            sent.append(65536)

    server.answer = endless
    with pytest.raises(UpstreamFailed, match="larger"):
        client.request("GET", server.url, max_bytes=100_000)
    assert sum(sent) < 50_000_000


def dripping(*, head: bool) -> Callable[[Any], None]:
    def drip(handler: Any) -> None:
        if not head:
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not handler.server.stop.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return drip


@pytest.mark.parametrize("head", [True, False])
def test_a_dripping_server_does_not_extend_the_time(
    server: Any, client: OutboundClient, head: bool
) -> None:
    server.answer = dripping(head=head)
    began = time.monotonic()
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.3)
    assert time.monotonic() - began >= 0.29  # and the test ends: 100000 bytes would take an hour


def test_a_silent_server(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: server.stop.wait(120)
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.1)


def test_a_server_that_does_not_read(client: OutboundClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UpstreamFailed, match="in time"):
            client.request("POST", url, content=b"x" * 50_000_000, timeout=0.3)


def test_an_answer_before_the_body_was_read(server: Any, client: OutboundClient) -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert client.request("POST", url, content=b"x" * 1_000_000).status == 413
        client.close()
        thread.join(60)


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", b"", b"\0" * 200_000],
)
def test_a_server_that_speaks_something_else(client: OutboundClient, answer: bytes) -> None:
    def speak(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            try:
                connection.sendall(answer)
            except OSError:
                pass  # the client has heard enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UpstreamFailed, match=r"127\.0\.0\.1"):
            client.request("GET", url)
        thread.join(60)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that nobody else gets, and at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_nobody_listens(client: OutboundClient, deaf_port: int) -> None:
    url = f"http://127.0.0.1:{deaf_port}/?key=hush-hush"
    with pytest.raises(UpstreamFailed, match="does not take connections") as caught:
        client.request("GET", url)
    assert "hush" not in caught.value.message


def test_the_next_address_is_tried(server: Any, deaf_port: int) -> None:
    def two(host: str, port: int) -> Sequence[Address]:
        ports = (deaf_port, server.port)
        return [Address(socket.AF_INET, ("127.0.0.1", number)) for number in ports]

    client = OutboundClient(allow_private=True, resolve=two)
    assert client.request("GET", "http://box.test/").content == b"hello"
    client.close()


def test_places_are_limited_and_given_back(server: Any) -> None:
    client = OutboundClient(allow_private=True, max_at_once=1)
    with client.stream("GET", server.url), pytest.raises(UpstreamFailed, match="under way"):
        client.request("GET", server.url, timeout=0.05)
    server.answer = lambda handler: handler.reply(b"", 302, Location="/x")
    for _ in range(3):
        client.request("GET", server.url, redirects=2, timeout=60)
        with pytest.raises(Invalid):
            client.request("GET", server.url, headers={"a b": "c"}, timeout=60)
    client.close()


def test_requests_to_public_addresses_alone_have_no_places_of_their_own(server: Any) -> None:
    client = OutboundClient(allow_private=True, max_at_once=1)
    with client.stream("GET", server.url), pytest.raises(UpstreamFailed, match="under way"):
        client.request("GET", "http://box.test/", timeout=0.05, private=False)
    client.close()


def test_many_silent_servers_leave_room_for_others(server: Any) -> None:
    """An administrator may have a plugin talk to 64 servers at a time; when none of them answers,
    the plugin still has places for what else it wants."""
    reached = threading.Semaphore(0)

    def hang(handler: Any) -> None:
        if handler.path == "/well":
            handler.reply(b"well")
            return
        reached.release()
        server.stop.wait(120)

    server.answer = hang
    client = OutboundClient(allow_private=True)

    def ask(_: int) -> None:
        with pytest.raises(UpstreamFailed):
            client.request("GET", server.url, timeout=120)

    with ThreadPoolExecutor(64) as pool:
        asking = pool.map(ask, range(64))
        for _ in range(64):
            assert reached.acquire(timeout=60)
        assert client.request("GET", server.url + "/well").content == b"well"
        client.close()
        list(asking)


def test_a_stream_is_read_piece_by_piece(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 1_000_000, X_A="b")
    with client.stream("GET", server.url) as stream:
        assert (stream.status, stream.headers["x-a"]) == (200, "b")
        pieces = list(stream.chunks())
    assert len(pieces) > 1
    assert b"".join(pieces) == b"x" * 1_000_000
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def test_a_stream_may_be_left_early(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 10_000_000)
    with client.stream("GET", server.url) as stream:
        assert next(stream.chunks())
    server.answer = lambda handler: handler.reply(b"next")
    assert client.request("GET", server.url).content == b"next"


def test_a_stream_ends_with_its_time_and_size(server: Any, client: OutboundClient) -> None:
    server.answer = dripping(head=False)
    with (
        pytest.raises(UpstreamFailed, match="in time"),
        client.stream("GET", server.url, timeout=0.3) as stream,
    ):
        list(stream.chunks())
    server.answer = lambda handler: handler.reply(b"x" * 100)
    with (
        client.stream("GET", server.url, max_bytes=99) as stream,
        pytest.raises(UpstreamFailed, match="larger"),
    ):
        list(stream.chunks())


def test_a_slow_reader_s_time_runs_out_too(
    server: Any, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 200_000)
    with client.stream("GET", server.url, timeout=60.0) as stream:
        chunks = stream.chunks()
        next(chunks)
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 60.0)
        monkeypatch.setattr("host.outbound.network.time", later)
        with pytest.raises(UpstreamFailed, match="in time"):
            list(chunks)


def test_a_stream_may_be_read_by_another_thread(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 200_000)
    found: list[bytes] = []
    with client.stream("GET", server.url) as stream:
        thread = threading.Thread(target=lambda: found.extend(stream.chunks()))
        thread.start()
        thread.join(60)
    assert len(b"".join(found)) == 200_000
