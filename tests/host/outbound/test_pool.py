"""Connections that are kept, how many and for how long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import pytest

from host.outbound import OutboundClient, pool
from host.outbound.addresses import Directory
from host.outbound.network import Deadline, Network
from plugin_sdk import UpstreamFailed


@pytest.fixture
def connections() -> Iterator[pool.Pool]:
    network = Network(Directory(allow_private=True), Deadline())
    found = pool.Pool(network, lambda: pytest.fail("nobody asked for TLS"))
    yield found
    found.close()


def addresses(server: Any) -> set[tuple[str, int]]:
    return {seen.client_address for seen in server.seen}


def test_an_old_connection_is_not_used_again(
    server: Any, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_KEPT_SECONDS", -1.0)
    for _ in range(3):
        client.request("GET", server.url)
    assert len(addresses(server)) == 3


def test_no_more_than_the_limit_are_kept(
    server: Any, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "KEPT_CONNECTIONS", 2)
    together = threading.Barrier(4)

    def meet(handler: Any) -> None:
        together.wait(60)
        handler.reply(b"met")

    server.answer = meet
    with ThreadPoolExecutor(4) as threads:
        for _ in range(2):
            list(threads.map(lambda _: client.request("GET", server.url), range(4)))
    assert len(addresses(server)) == 6


def test_servers_do_not_share_connections(server: Any, new_server: Any) -> None:
    client = OutboundClient(allow_private=True)
    with new_server() as other:
        for _ in range(2):
            client.request("GET", server.url)
            client.request("GET", other.url)
        assert len(addresses(server)) == len(addresses(other)) == 1
        client.close()


def test_a_connection_that_never_opened_is_not_kept(connections: pool.Pool) -> None:
    origin = httpcore.Origin(b"http", b"box.test", 1)
    connection = connections.take(origin)
    connections.give_back(connection)
    assert connections.take(origin) is not connection


def test_after_the_end_there_is_none(connections: pool.Pool) -> None:
    origin = httpcore.Origin(b"http", b"box.test", 1)
    taken = connections.take(origin)
    connections.close()
    connections.give_back(taken)
    with pytest.raises(UpstreamFailed, match="switched off"):
        connections.take(origin)
