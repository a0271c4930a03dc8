"""URLs, headers and redirects."""

from __future__ import annotations

from typing import Any

import pytest

from host.outbound import OutboundClient
from plugin_sdk import Invalid, UpstreamFailed


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
    server: Any, client: OutboundClient, more: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        client.request("POST", server.url, **more)
    assert server.seen == []


@pytest.mark.parametrize("method", ["", "GET /", "GE\r\nT", "gét"])
def test_a_method_that_is_none(server: Any, client: OutboundClient, method: str) -> None:
    with pytest.raises(Invalid):
        client.request(method, server.url)
    assert server.seen == []


def test_redirects_are_answers_unless_asked_for(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"", 302, Location="/there")
    reply = client.request("GET", server.url)
    assert (reply.status, reply.headers["location"]) == (302, "/there")
    assert len(server.seen) == 1


def follow(handler: Any) -> None:
    step = int(handler.path.rpartition("/")[2])
    if step:
        handler.reply(b"moved", 302, Location=f"{step - 1}")
    else:
        handler.reply(b"there")


def test_redirects_are_followed_as_often_as_asked_for(server: Any, client: OutboundClient) -> None:
    server.answer = follow
    reply = client.request("GET", server.url + "/a/3", redirects=3)
    assert (reply.status, reply.content, reply.url) == (200, b"there", server.url + "/a/0")
    assert client.request("GET", server.url + "/a/3", redirects=2).status == 302


def test_a_redirect_to_another_host_is_not_followed(
    server: Any, client: OutboundClient, new_server: Any
) -> None:
    with new_server() as other:
        for location in (
            other.url,
            f"//127.0.0.1:{other.port}/",
            f"http://localhost:{server.port}/",
            f"https://127.0.0.1:{server.port}/",
            f"http://user@127.0.0.1:{server.port}/",
            "ftp://127.0.0.1/",
            "http://[/",
        ):
            server.answer = lambda handler, to=location: handler.reply(b"", 302, Location=to)
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
    server: Any, client: OutboundClient, method: str, status: int, expected: str
) -> None:
    def answer(handler: Any) -> None:
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


def test_the_time_is_for_all_redirects_together(server: Any, client: OutboundClient) -> None:
    def slowly(handler: Any) -> None:
        server.stop.wait(0.05)
        handler.reply(b"", 302, Location="/again")

    server.answer = slowly
    with pytest.raises(UpstreamFailed, match="in time"):
        client.request("GET", server.url, timeout=0.3, redirects=1000)
