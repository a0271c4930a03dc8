"""Encodings."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from host.outbound import OutboundClient
from plugin_sdk import UpstreamFailed


def zipped(content: bytes, **more: str) -> Callable[[Any], None]:
    return lambda handler: handler.reply(content, Content_Encoding="gzip", **more)


def test_gzip_is_asked_for_and_taken_off(server: Any, client: OutboundClient) -> None:
    content = json.dumps(list(range(5000))).encode()
    server.answer = zipped(gzip.compress(content))
    reply = client.request("GET", server.url)
    assert server.seen[0].headers["Accept-Encoding"] == "gzip"
    assert reply.content == content
    assert "content-encoding" not in reply.headers
    assert "content-length" not in reply.headers


def test_several_gzip_members_are_one_content(server: Any, client: OutboundClient) -> None:
    server.answer = zipped(gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two"))
    assert client.request("GET", server.url).content == b"one two"
    server.answer = zipped(b"")
    assert client.request("GET", server.url).content == b""


def test_a_gzip_bomb_ends_at_the_limit(server: Any, client: OutboundClient) -> None:
    server.answer = zipped(gzip.compress(b"\0" * 200_000_000, 1))
    with pytest.raises(UpstreamFailed, match="larger than 4194304 bytes"):
        client.request("GET", server.url)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: b"no gzip", lambda data: data + b"rest"]
)
def test_damaged_gzip(
    server: Any, client: OutboundClient, damage: Callable[[bytes], bytes]
) -> None:
    server.answer = zipped(damage(gzip.compress(b"hello" * 1000)))
    with pytest.raises(UpstreamFailed, match=r"gzip|cut short"):
        client.request("GET", server.url)


def test_an_encoding_nobody_asked_for(server: Any, client: OutboundClient) -> None:
    server.answer = lambda handler: handler.reply(b"x", Content_Encoding="br")
    with pytest.raises(UpstreamFailed, match="encoding"):
        client.request("GET", server.url)


def test_whoever_asks_for_an_encoding_gets_it(server: Any, client: OutboundClient) -> None:
    packed = gzip.compress(b"hello")
    server.answer = zipped(packed)
    reply = client.request("GET", server.url, headers={"Accept-Encoding": "gzip"})
    assert (reply.content, reply.headers["content-encoding"]) == (packed, "gzip")


def test_a_range_is_asked_for_as_it_is(server: Any, client: OutboundClient) -> None:
    client.request("GET", server.url, headers={"Range": "bytes=0-1"})
    assert server.seen[0].headers["Accept-Encoding"] == "identity"
