from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from host.outbound import OutboundClient
from host.outbound.addresses import Address
from plugin_sdk import Forbidden, Invalid, UpstreamFailed

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Seen:
    command: str
    path: str
    headers: Message
    body: bytes
    client_address: tuple[str, int]


class Handler(BaseHTTPRequestHandler):
    """A real server; ``server.answer`` says what it does."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def _handle(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        seen = Seen(self.command, self.path, self.headers, body, self.client_address)
        self.server.seen.append(seen)  # type: ignore[attr-defined]
        try:
            self.server.answer(self)  # type: ignore[attr-defined]
        except OSError:
            self.close_connection = True  # the client has left

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def reply(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.reply(b"hello")
        self.stop = threading.Event()
        self._open: list[socket.socket] = []

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self._open.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        return

    def end(self) -> None:
        self.stop.set()
        self.shutdown()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.server_close()


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join(30)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture
def client() -> Iterator[OutboundClient]:
    found = OutboundClient(allow_private=True)
    yield found
    found.close()


def here(host: str, port: int) -> Sequence[Address]:
    """Every name leads to this machine."""
    return [Address(socket.AF_INET, ("127.0.0.1", port))]


# The plain way


def test_a_request_and_its_answer(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b'{"a": 1}', 201, X_Thing="one")
    reply = client.request("post", server.url + "/x?a=1", query={"b": "ü&"}, json={"z": "ö"})
    assert (reply.status, reply.ok, reply.json()) == (201, True, {"a": 1})
    assert reply.headers["x-thing"] == "one"
    assert reply.url == server.url + "/x?a=1&b=%C3%BC%26"
    (seen,) = server.seen
    assert (seen.command, seen.path) == ("POST", "/x?a=1&b=%C3%BC%26")
    assert seen.body == '{"z":"ö"}'.encode()
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["Host"] == f"127.0.0.1:{server.port}"
    assert seen.headers["User-Agent"] == "stagebox"


def test_headers_of_one_s_own(server: Server, client: OutboundClient) -> None:
    client.request("GET", server.url, headers={"Accept": "a/b", "X-Key": "1", "User-Agent": "me"})
    headers = server.seen[0].headers
    assert (headers["Accept"], headers["X-Key"], headers["User-Agent"]) == ("a/b", "1", "me")
    assert headers.get_all("Accept") == ["a/b"]
    assert "Content-Length" not in headers


def test_content_is_sent_as_it_is(server: Server, client: OutboundClient) -> None:
    client.request("PUT", server.url, content=b"\0\xff" * 100_000)
    client.request("POST", server.url)
    assert server.seen[0].body == b"\0\xff" * 100_000
    assert server.seen[1].headers["Content-Length"] == "0"


def test_an_error_status_is_an_answer(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"nothing", 404)
    reply = client.request("GET", server.url)
    assert (reply.status, reply.ok, reply.content) == (404, False, b"nothing")
    with pytest.raises(UpstreamFailed, match="JSON"):
        reply.json()


def test_head_has_no_body(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(Content_Length="99999999999")
    reply = client.request("HEAD", server.url)
    assert (reply.content, reply.headers["content-length"]) == (b"", "99999999999")


def test_a_connection_is_used_again(server: Server, client: OutboundClient) -> None:
    for _ in range(3):
        client.request("GET", server.url)
    assert len({seen.client_address for seen in server.seen}) == 1


def test_a_kept_connection_that_was_closed_is_replaced(
    server: Server, client: OutboundClient
) -> None:
    def hang_up_later(handler: Handler) -> None:
        handler.reply(b"one")  # promises to stay, and leaves
        if len(server.seen) == 1:
            handler.close_connection = True

    server.answer = hang_up_later
    assert client.request("GET", server.url).content == b"one"
    assert client.request("GET", server.url).content == b"one"
    assert len({seen.client_address for seen in server.seen}) == 2


def test_a_get_is_sent_again_when_a_kept_connection_breaks(
    server: Server, client: OutboundClient
) -> None:
    def break_the_second(handler: Handler) -> None:
        if len(server.seen) == 2:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.reply(b"ok")

    server.answer = break_the_second
    client.request("GET", server.url)
    assert client.request("GET", server.url).content == b"ok"
    assert len(server.seen) == 3


def test_a_post_is_never_sent_again(server: Server, client: OutboundClient) -> None:
    def break_the_second(handler: Handler) -> None:
        if len(server.seen) == 2:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.reply(b"ok")

    server.answer = break_the_second
    client.request("POST", server.url)
    with pytest.raises(UpstreamFailed, match="broke"):
        client.request("POST", server.url)
    assert len(server.seen) == 2


def test_a_fresh_connection_that_breaks_is_not_tried_again(
    server: Server, client: OutboundClient
) -> None:
    server.answer = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UpstreamFailed):
        client.request("GET", server.url)
    assert len(server.seen) == 1


def test_no_cookie_is_kept(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"", Set_Cookie="a=b; Path=/")
    client.request("GET", server.url)
    client.request("GET", server.url)
    assert "Cookie" not in server.seen[1].headers


def test_proxy_variables_are_ignored(
    server: Server, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.request("GET", server.url).content == b"hello"


# Limits


def test_an_answer_that_is_too_large(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 1001)
    assert len(client.request("GET", server.url, max_bytes=1001).content) == 1001
    with pytest.raises(UpstreamFailed, match="larger than 1000 bytes"):
        client.request("GET", server.url, max_bytes=1000)


def test_an_answer_without_length_is_read_to_the_limit_only(
    server: Server, client: OutboundClient
) -> None:
    sent = []

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(b"x" * 65536)
            sent.append(65536)

    server.answer = endless
    with pytest.raises(UpstreamFailed, match="larger"):
        client.request("GET", server.url, max_bytes=100_000)
    assert sum(sent) < 50_000_000


def dripping(*, head: bool) -> Callable[[Handler], None]:
    def drip(handler: Handler) -> None:
        if not head:
            handler.send_response(200)
            handler.send_header("Content-Length", "100000")
            handler.end_headers()
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not handler.server.stop.wait(0.02):  # type: ignore[attr-defined]
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return drip


@pytest.mark.parametrize("head", [True, False])
def test_a_dripping_server_does_not_extend_the_time(
    server: Server, client: OutboundClient, head: bool
) -> None:
    server.answer = dripping(head=head)
    began = time.monotonic()
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.3)
    assert time.monotonic() - began >= 0.29  # and the test ends: 100000 bytes would take an hour


def test_a_silent_server(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: server.stop.wait(30)  # type: ignore[assignment, return-value]
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.1)


def test_a_server_that_does_not_read(client: OutboundClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UpstreamFailed, match="in time"):
            client.request("POST", url, content=b"x" * 50_000_000, timeout=0.3)


def test_an_answer_before_the_body_was_read(server: Server, client: OutboundClient) -> None:
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
        thread.join(30)


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
        thread.join(30)


def test_nobody_listens(client: OutboundClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UpstreamFailed, match="does not take connections") as caught:
        client.request("GET", f"http://127.0.0.1:{port}/?key=hush-hush")
    assert "hush" not in caught.value.message


def test_the_next_address_is_tried(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]

    def two(host: str, port: int) -> Sequence[Address]:
        return [Address(socket.AF_INET, ("127.0.0.1", number)) for number in (closed, server.port)]

    client = OutboundClient(allow_private=True, resolve=two)
    assert client.request("GET", "http://box.test/").content == b"hello"
    client.close()


def test_places_are_limited_and_given_back(server: Server) -> None:
    client = OutboundClient(allow_private=True, max_at_once=1)
    with client.stream("GET", server.url), pytest.raises(UpstreamFailed, match="under way"):
        client.request("GET", server.url, timeout=0.05)
    server.answer = lambda handler: handler.reply(b"", 302, Location="/x")
    for _ in range(3):
        client.request("GET", server.url, redirects=2, timeout=5)
        with pytest.raises(Invalid):
            client.request("GET", server.url, headers={"a b": "c"}, timeout=5)
    client.close()


# Which addresses


def test_a_private_address_is_refused(server: Server) -> None:
    client = OutboundClient(allow_private=False)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"):
        with pytest.raises(Forbidden, match="not public"):
            client.request("GET", f"http://{host}:{server.port}/")
    with pytest.raises(Forbidden), client.stream("GET", server.url):
        pass
    client.close()
    assert server.seen == []


def test_a_name_that_leads_here_is_refused(server: Server) -> None:
    client = OutboundClient(allow_private=False, resolve=here)
    with pytest.raises(Forbidden, match=r"innocent\.test"):
        client.request("GET", f"http://innocent.test:{server.port}/")
    client.close()
    assert server.seen == []


def test_a_name_is_resolved_once_and_what_was_checked_is_used(server: Server) -> None:
    answers = [["127.0.0.1"], ["8.8.8.8"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, (text, port)) for text in answers[len(asked) - 1]]

    client = OutboundClient(allow_private=True, resolve=rebinding)
    assert client.request("GET", f"http://box.test:{server.port}/").ok
    assert asked == ["box.test"]
    assert server.seen[0].headers["Host"] == f"box.test:{server.port}"
    client.close()


# URLs and messages


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/path",
        "//host/path",
        "ftp://host/",
        "file:///etc/passwd",
        "ws://host/",
        "http://",
        "http:///path",
        "http://user@host/",
        "http://user:hush-hush@host/",
        "http://:hush-hush@host/",
        "http://host:0/",
        "http://host:65536/",
        "http://host:x/",
        "http://ho st/",
        "http://host/\r\nX: y",
        "http://host/\0",
        "http://[::1/",
        "http://" + "a" * 70_000,
    ],
)
def test_what_is_no_url_is_invalid(client: OutboundClient, url: str) -> None:
    with pytest.raises(Invalid) as caught:
        client.request("GET", url)
    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X\r\nY": "b"}},
        {"headers": {"X": "ü"}},
        {"headers": {"": "x"}},
        {"headers": {"Host": "other.test"}},
        {"headers": {"content-length": "5"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Connection": "upgrade"}},
        {"json": {}, "content": b""},
        {"json": float("nan")},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
    ],
)
def test_what_http_cannot_carry_is_invalid(
    server: Server, client: OutboundClient, more: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        client.request("POST", server.url, **more)
    assert server.seen == []


@pytest.mark.parametrize("method", ["", "GET /", "GE\r\nT", "gét"])
def test_a_method_that_is_none(server: Server, client: OutboundClient, method: str) -> None:
    with pytest.raises(Invalid):
        client.request(method, server.url)
    assert server.seen == []


# Redirects


def test_redirects_are_answers_unless_asked_for(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"", 302, Location="/there")
    reply = client.request("GET", server.url)
    assert (reply.status, reply.headers["location"]) == (302, "/there")
    assert len(server.seen) == 1


def follow(handler: Handler) -> None:
    step = int(handler.path.rpartition("/")[2])
    if step:
        handler.reply(b"moved", 302, Location=f"{step - 1}")
    else:
        handler.reply(b"there")


def test_redirects_are_followed_as_often_as_asked_for(
    server: Server, client: OutboundClient
) -> None:
    server.answer = follow
    reply = client.request("GET", server.url + "/a/3", redirects=3)
    assert (reply.status, reply.content, reply.url) == (200, b"there", server.url + "/a/0")
    assert client.request("GET", server.url + "/a/3", redirects=2).status == 302


def test_a_redirect_to_another_host_is_not_followed(server: Server, client: OutboundClient) -> None:
    with running() as other:
        for location in (
            other.url,
            f"//127.0.0.1:{other.port}/",
            f"http://localhost:{server.port}/",
            f"https://127.0.0.1:{server.port}/",
            f"http://user@127.0.0.1:{server.port}/",
            "ftp://127.0.0.1/",
            "http://[/",
        ):
            server.answer = lambda handler, to=location: handler.reply(b"", 302, Location=to)  # type: ignore[misc]
            reply = client.request("GET", server.url, redirects=5)
            assert (reply.status, reply.headers["location"]) == (302, location)
        assert other.seen == []


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("PUT", 303, "GET"),
        ("PUT", 302, "PUT"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("HEAD", 303, "HEAD"),
    ],
)
def test_the_method_after_a_redirect(
    server: Server, client: OutboundClient, method: str, status: int, expected: str
) -> None:
    def answer(handler: Handler) -> None:
        if handler.path == "/":
            handler.reply(b"", status, Location="/next")
        else:
            handler.reply(b"")

    server.answer = answer
    body = None if method == "HEAD" else {"a": 1}
    client.request(method, server.url, json=body, headers={"X-Key": "1"}, redirects=1)
    second = server.seen[1]
    assert (second.command, second.path, second.headers["X-Key"]) == (expected, "/next", "1")
    kept = expected == method and method != "HEAD"
    assert second.body == (b'{"a":1}' if kept else b"")
    assert ("Content-Type" in second.headers) == kept


def test_the_time_is_for_all_redirects_together(server: Server, client: OutboundClient) -> None:
    def slowly(handler: Handler) -> None:
        server.stop.wait(0.05)
        handler.reply(b"", 302, Location="/again")

    server.answer = slowly
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.3, redirects=1000)


# Encodings


def zipped(content: bytes, **more: str) -> Callable[[Handler], None]:
    return lambda handler: handler.reply(content, Content_Encoding="gzip", **more)


def test_gzip_is_asked_for_and_taken_off(server: Server, client: OutboundClient) -> None:
    content = json.dumps(list(range(5000))).encode()
    server.answer = zipped(gzip.compress(content))
    reply = client.request("GET", server.url)
    assert server.seen[0].headers["Accept-Encoding"] == "gzip"
    assert reply.content == content
    assert "content-encoding" not in reply.headers
    assert "content-length" not in reply.headers


def test_several_gzip_members_are_one_content(server: Server, client: OutboundClient) -> None:
    server.answer = zipped(gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two"))
    assert client.request("GET", server.url).content == b"one two"
    server.answer = zipped(b"")
    assert client.request("GET", server.url).content == b""


def test_a_gzip_bomb_ends_at_the_limit(server: Server, client: OutboundClient) -> None:
    server.answer = zipped(gzip.compress(b"\0" * 200_000_000, 1))
    with pytest.raises(UpstreamFailed, match="larger than 4194304 bytes"):
        client.request("GET", server.url)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: b"no gzip", lambda data: data + b"rest"]
)
def test_damaged_gzip(
    server: Server, client: OutboundClient, damage: Callable[[bytes], bytes]
) -> None:
    server.answer = zipped(damage(gzip.compress(b"hello" * 1000)))
    with pytest.raises(UpstreamFailed, match=r"gzip|cut short"):
        client.request("GET", server.url)


def test_an_encoding_nobody_asked_for(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x", Content_Encoding="br")
    with pytest.raises(UpstreamFailed, match="encoding"):
        client.request("GET", server.url)


def test_whoever_asks_for_an_encoding_gets_it(server: Server, client: OutboundClient) -> None:
    packed = gzip.compress(b"hello")
    server.answer = zipped(packed)
    reply = client.request("GET", server.url, headers={"Accept-Encoding": "gzip"})
    assert (reply.content, reply.headers["content-encoding"]) == (packed, "gzip")


def test_a_range_is_asked_for_as_it_is(server: Server, client: OutboundClient) -> None:
    client.request("GET", server.url, headers={"Range": "bytes=0-1"})
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


# Streams


def test_a_stream_is_read_piece_by_piece(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 1_000_000, X_A="b")
    with client.stream("GET", server.url) as stream:
        assert (stream.status, stream.headers["x-a"]) == (200, "b")
        pieces = list(stream.chunks())
    assert len(pieces) > 1
    assert b"".join(pieces) == b"x" * 1_000_000
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def test_a_stream_may_be_left_early(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 10_000_000)
    with client.stream("GET", server.url) as stream:
        assert next(stream.chunks())
    server.answer = lambda handler: handler.reply(b"next")
    assert client.request("GET", server.url).content == b"next"


def test_a_stream_ends_with_its_time_and_size(server: Server, client: OutboundClient) -> None:
    server.answer = dripping(head=False)
    with (
        client.stream("GET", server.url, timeout=0.3) as stream,
        pytest.raises(UpstreamFailed, match="in time"),
    ):
        list(stream.chunks())
    server.answer = lambda handler: handler.reply(b"x" * 100)
    with (
        client.stream("GET", server.url, max_bytes=99) as stream,
        pytest.raises(UpstreamFailed, match="larger"),
    ):
        list(stream.chunks())


def test_a_slow_reader_s_time_runs_out_too(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 200_000)
    with client.stream("GET", server.url, timeout=0.2) as stream:
        chunks = stream.chunks()
        next(chunks)
        server.stop.wait(0.3)
        with pytest.raises(UpstreamFailed, match="in time"):
            list(chunks)


def test_a_stream_may_be_read_by_another_thread(server: Server, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x" * 200_000)
    found: list[bytes] = []
    with client.stream("GET", server.url) as stream:
        thread = threading.Thread(target=lambda: found.extend(stream.chunks()))
        thread.start()
        thread.join(30)
    assert len(b"".join(found)) == 200_000


# The end


def test_after_the_end_nothing_is_sent(server: Server, client: OutboundClient) -> None:
    client.request("GET", server.url)
    client.close()
    client.close()
    with pytest.raises(UpstreamFailed, match="switched off"):
        client.request("GET", server.url)
    assert len(server.seen) == 1


def test_the_end_wakes_who_waits(server: Server, client: OutboundClient) -> None:
    arrived = threading.Event()

    def wait(handler: Handler) -> None:
        arrived.set()
        server.stop.wait(60)

    server.answer = wait
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.request("GET", server.url, timeout=60)
        except UpstreamFailed as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert arrived.wait(30)
    client.close()
    thread.join(30)
    assert not thread.is_alive()
    assert errors


def test_httpx_is_loaded_with_the_first_request() -> None:
    code = (
        "import sys; from host.outbound import OutboundClient; "
        "c = OutboundClient(allow_private=False); c.close(); "
        "sys.exit(any(m in sys.modules for m in ('httpx', 'httpcore', 'certifi')))"
    )
    root = HERE.parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


# TLS


@pytest.fixture
def tls_server(server: Server) -> Server:
    """Shows the certificate of ``box.test``, which nobody has signed but itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "box.test.pem")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server.names = names  # type: ignore[attr-defined]
    plain = server.get_request

    def get_request() -> Any:
        connection, address = plain()
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        server._open[-1] = secured
        return secured, address

    server.get_request = get_request  # type: ignore[method-assign]
    return server


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(HERE / "box.test.pem"))


def test_certificates_are_checked(tls_server: Server) -> None:
    client = OutboundClient(allow_private=True, resolve=here)
    with pytest.raises(UpstreamFailed, match="certificate"):
        client.request("GET", f"https://box.test:{tls_server.port}/")
    client.close()
    assert tls_server.seen == []


def test_the_name_is_checked_and_sent(tls_server: Server) -> None:
    client = OutboundClient(allow_private=True, resolve=here, ssl_context=trusting())
    for _ in range(2):
        assert client.request("GET", f"https://box.test:{tls_server.port}/").content == b"hello"
    assert tls_server.seen[0].headers["Host"] == f"box.test:{tls_server.port}"
    assert set(tls_server.names) == {"box.test"}  # type: ignore[attr-defined]
    with pytest.raises(UpstreamFailed, match="certificate"):
        client.request("GET", f"https://other.test:{tls_server.port}/")
    client.close()


def test_a_server_without_tls(server: Server) -> None:
    client = OutboundClient(allow_private=True, ssl_context=trusting())
    with pytest.raises(UpstreamFailed, match=r"TLS|broke"):
        client.request("GET", f"https://127.0.0.1:{server.port}/", timeout=5)
    client.close()


def test_a_hand_shake_that_never_ends() -> None:
    client = OutboundClient(allow_private=True, ssl_context=trusting())
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(UpstreamFailed, match="in time"),
    ):
        client.request("GET", f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.2)
    client.close()
