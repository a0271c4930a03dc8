"""Sending, connections, addresses and the end."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from host.outbound import OutboundClient
from host.outbound.addresses import Address
from plugin_sdk import Forbidden, HttpStream, UpstreamFailed

HERE = Path(__file__).parent


def here(host: str, port: int) -> Sequence[Address]:
    """Every name leads to this machine."""
    return [Address(socket.AF_INET, ("127.0.0.1", port))]


def test_a_request_and_its_answer(server: Any, client: OutboundClient) -> None:
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


def test_headers_of_one_s_own(server: Any, client: OutboundClient) -> None:
    client.request("GET", server.url, headers={"Accept": "a/b", "X-Key": "1", "User-Agent": "me"})
    headers = server.seen[0].headers
    assert (headers["Accept"], headers["X-Key"], headers["User-Agent"]) == ("a/b", "1", "me")
    assert headers.get_all("Accept") == ["a/b"]
    assert "Content-Length" not in headers


def test_content_is_sent_as_it_is(server: Any, client: OutboundClient) -> None:
    client.request("PUT", server.url, content=b"\0\xff" * 100_000)
    client.request("POST", server.url)
    assert server.seen[0].body == b"\0\xff" * 100_000
    assert server.seen[1].headers["Content-Length"] == "0"


def test_an_error_status_is_an_answer(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"nothing", 404)
    reply = client.request("GET", server.url)
    assert (reply.status, reply.ok, reply.content) == (404, False, b"nothing")
    with pytest.raises(UpstreamFailed, match="JSON"):
        reply.json()


def test_head_has_no_body(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(Content_Length="99999999999")
    reply = client.request("HEAD", server.url)
    assert (reply.content, reply.headers["content-length"]) == (b"", "99999999999")


def test_a_connection_is_used_again(server: Any, client: OutboundClient) -> None:
    for _ in range(3):
        client.request("GET", server.url)
    assert len({seen.client_address for seen in server.seen}) == 1


def quiet(status: int) -> Callable[[Any], None]:
    """An answer as RFC 9110 has it: 204 and 304 without a Content-Length."""

    def answer(handler: Any) -> None:
        handler.wfile.write(f"HTTP/1.1 {status} Quiet\r\nX-A: b\r\n\r\n".encode())

    return answer


EMPTY: list[tuple[str, Callable[[Any], None]]] = [
    ("GET", quiet(204)),
    ("GET", quiet(304)),
    ("HEAD", lambda handler: handler.reply(Content_Length="1000")),
    ("GET", lambda handler: handler.reply(b"")),
    ("POST", lambda handler: handler.reply(b"", 404)),
]
READ: list[tuple[str, Callable[[HttpStream], object]]] = [
    ("status alone", lambda stream: stream.status),
    ("content", lambda stream: list(stream.chunks())),
]


@pytest.mark.parametrize(("method", "answer"), EMPTY, ids=[f"{n}" for n in range(len(EMPTY))])
@pytest.mark.parametrize("read", [each for _, each in READ], ids=[name for name, _ in READ])
def test_answers_without_content_keep_the_connection(
    server: Any,
    client: OutboundClient,
    method: str,
    answer: Callable[[Any], None],
    read: Callable[[HttpStream], object],
) -> None:
    server.answer = answer
    for _ in range(3):
        with client.stream(method, server.url) as stream:
            read(stream)
        assert client.request(method, server.url).content == b""
    assert len(server.seen) == 6
    assert len({seen.client_address for seen in server.seen}) == 1


def test_a_redirect_without_content_keeps_the_connection(
    server: Any, client: OutboundClient
) -> None:
    def lead(handler: Any) -> None:
        if handler.path == "/":
            handler.reply(b"", 302, Location="/there")
        else:
            handler.reply(b"here")

    server.answer = lead
    assert client.request("GET", server.url, redirects=1).content == b"here"
    assert len({seen.client_address for seen in server.seen}) == 1


def test_many_connections_are_kept(server: Any, client: OutboundClient) -> None:
    """As many as are used at a time: whoever asks often must not open them anew."""
    together = threading.Barrier(20)

    def meet(handler: Any) -> None:
        together.wait(60)
        handler.reply(b"met")

    server.answer = meet
    for _ in range(2):
        with ThreadPoolExecutor(20) as pool:
            answers = pool.map(lambda _: client.request("GET", server.url), range(20))
            assert {each.content for each in answers} == {b"met"}
    assert len({seen.client_address for seen in server.seen}) == 20


def test_a_kept_connection_that_was_closed_is_replaced(server: Any, client: OutboundClient) -> None:
    def hang_up_later(handler: Any) -> None:
        handler.reply(b"one")  # promises to stay, and leaves
        if len(server.seen) == 1:
            handler.close_connection = True

    server.answer = hang_up_later
    assert client.request("GET", server.url).content == b"one"
    assert client.request("GET", server.url).content == b"one"
    assert len({seen.client_address for seen in server.seen}) == 2


def _break_the_second(server: Any) -> None:
    def answer(handler: Any) -> None:
        if len(server.seen) == 2:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.reply(b"ok")

    server.answer = answer


def test_a_get_is_sent_again_when_a_kept_connection_breaks(
    server: Any, client: OutboundClient
) -> None:
    _break_the_second(server)
    client.request("GET", server.url)
    assert client.request("GET", server.url).content == b"ok"
    assert len(server.seen) == 3


def test_a_post_is_never_sent_again(server: Any, client: OutboundClient) -> None:
    _break_the_second(server)
    client.request("POST", server.url)
    with pytest.raises(UpstreamFailed, match="broke"):
        client.request("POST", server.url)
    assert len(server.seen) == 2


def test_a_fresh_connection_that_breaks_is_not_tried_again(
    server: Any, client: OutboundClient
) -> None:
    server.answer = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UpstreamFailed):
        client.request("GET", server.url)
    assert len(server.seen) == 1


def test_no_cookie_is_kept(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"", Set_Cookie="a=b; Path=/")
    client.request("GET", server.url)
    client.request("GET", server.url)
    assert "Cookie" not in server.seen[1].headers


def test_proxy_variables_are_ignored(
    server: Any, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.request("GET", server.url).content == b"hello"


def test_a_private_address_is_refused(server: Any) -> None:
    client = OutboundClient(allow_private=False)
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"):
        with pytest.raises(Forbidden, match="not public"):
            client.request("GET", f"http://{host}:{server.port}/")
    with pytest.raises(Forbidden), client.stream("GET", server.url):
        pass
    client.close()
    assert server.seen == []


def test_a_single_request_may_do_without_private_addresses(
    server: Any, client: OutboundClient
) -> None:
    assert client.request("GET", server.url).ok  # its connection is kept
    with pytest.raises(Forbidden, match="not public"):
        client.request("GET", server.url, private=False)
    with pytest.raises(Forbidden), client.stream("GET", server.url, private=False):
        pass
    assert client.request("GET", server.url).ok
    assert len(server.seen) == 2


def test_a_name_that_leads_here_is_refused(server: Any) -> None:
    client = OutboundClient(allow_private=False, resolve=here)
    with pytest.raises(Forbidden, match=r"innocent\.test"):
        client.request("GET", f"http://innocent.test:{server.port}/")
    client.close()
    assert server.seen == []


def test_a_name_is_resolved_once_and_what_was_checked_is_used(server: Any) -> None:
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


def test_after_the_end_nothing_is_sent(server: Any, client: OutboundClient) -> None:
    client.request("GET", server.url)
    client.close()
    client.close()
    with pytest.raises(UpstreamFailed, match="switched off"):
        client.request("GET", server.url)
    assert len(server.seen) == 1


def test_the_end_wakes_who_waits(server: Any, client: OutboundClient) -> None:
    arrived = threading.Event()

    def wait(handler: Any) -> None:
        arrived.set()
        server.stop.wait(120)

    server.answer = wait
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.request("GET", server.url, timeout=120)
        except UpstreamFailed as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert arrived.wait(60)
    client.close()
    thread.join(60)
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
