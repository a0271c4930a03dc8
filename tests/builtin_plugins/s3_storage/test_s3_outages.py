"""A store that is away: a clear sentence, soon, and it heals."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from s3_trouble import (
    MIB,
    OPERATIONS,
    PATIENT,
    QUICK,
    SETTINGS,
    UNTIRING,
    make_storage,
    put,
    read,
    told,
)

from builtin_plugins.s3_storage.config import Patience
from builtin_plugins.s3_storage.outage import Outage
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import NotFound, ProviderUnavailable
from plugin_sdk.testing import FakeContext

__all__ = ["make_storage"]


def test_nobody_listens(make_storage: Callable[..., S3Storage]) -> None:
    with socket.socket() as silent:  # nobody else gets the port meanwhile
        silent.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, UNTIRING)
        for operation in OPERATIONS.values():
            with told(storage, "it does not take connections there", '"endpoint"'):
                operation(storage)


def test_an_unknown_host(
    make_storage: Callable[..., S3Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_arguments: Any, **_options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    storage = make_storage({**SETTINGS, "endpoint": "https://nowhere.invalid"})
    with told(storage, "the name of the host is not known"):
        storage.list()


def test_a_store_that_takes_connections_and_says_nothing(
    make_storage: Callable[..., S3Storage],
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=32) as listener:
        port = listener.getsockname()[1]
        storage = make_storage({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}, UNTIRING)
        for operation in OPERATIONS.values():
            with told(storage, "it took the connection, but did not answer in time"):
                operation(storage)


def test_a_store_whose_packets_are_swallowed(make_storage: Callable[..., S3Storage]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):  # nobody takes these, so there is no room for more
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        storage = make_storage({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}, QUICK)
        with told(storage, "nobody answers at that address in time"):
            storage.list()


def test_many_addresses_share_the_time(
    make_storage: Callable[..., S3Storage], monkeypatch: pytest.MonkeyPatch
) -> None:
    from builtin_plugins.s3_storage.client import Client
    from builtin_plugins.s3_storage.config import StoreConfig

    settings = {**SETTINGS, "endpoint": "https://s3.example.org", "region": "x", "presign": False}
    client = Client(StoreConfig.of({**settings, "pathStyle": True}), Patience())
    for count, seconds in ((1, 2.0), (2, 2.0), (3, 2.0), (4, 1.5), (8, 0.75), (50, 0.75)):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, n=count, **__: [()] * n)
        assert client._connect_seconds() == seconds


def test_a_slow_line_is_no_dead_store(
    relay: Any, weed: Any, folder: str, make_storage: Callable[..., S3Storage]
) -> None:
    relay.lead_to(weed.port)
    relay.slow_down(4 * MIB)
    patience = PATIENT
    storage = make_storage({**weed.settings(folder), "endpoint": relay.endpoint}, patience)
    assert put(storage, "a", bytes(9 * MIB)).size == 9 * MIB
    assert storage.stat("a").size == 9 * MIB


def test_a_part_is_sent_again_when_its_connection_breaks(
    relay: Any, weed: Any, objects: Any, folder: str, make_storage: Callable[..., S3Storage]
) -> None:
    relay.lead_to(weed.port)
    settings = {**weed.settings(folder), "endpoint": relay.endpoint}
    storage = make_storage(settings, replace(PATIENT, rest=0.0))
    content = bytes(range(256)) * (9 * MIB // 256)
    relay.cut_after_sending(6 * MIB, 3 * MIB)
    assert put(storage, "a", content).size == 9 * MIB
    assert read(storage, "a") == content
    relay.cut_after_sending(*[3 * MIB] * PATIENT.attempts)
    with told(storage, "broke the connection off"):
        put(storage, "a", bytes(9 * MIB))
    assert read(storage, "a") == content
    left = objects.list_multipart_uploads(Bucket="stagebox-test", Prefix=folder)
    assert "Uploads" not in left


def test_an_upload_under_way_outlives_the_trouble_of_others(
    weed: Any, folder: str, make_storage: Callable[..., S3Storage]
) -> None:
    storage = make_storage(weed.settings(folder), replace(PATIENT, rest=60.0))

    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() == 8 * MIB:
                bucket = storage._opened()
                bucket._client.outage.begin("Somebody has waited in vain.")
                with pytest.raises(ProviderUnavailable, match="in vain"):
                    storage.stat("a")
            return super().read(size)

    assert storage.put("a", Interrupted(bytes(9 * MIB)), "a/b").size == 9 * MIB
    assert storage.stat("a").size == 9 * MIB, "an answer ends the outage"


def test_ten_seconds_are_enough_to_know_that_a_store_is_away(
    make_storage: Callable[..., S3Storage],
) -> None:
    """The promise itself, with the times that the plugin uses: one try, which has them."""
    patience = Patience()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = {**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}
        storage = make_storage(settings, patience)
        with told(storage, "did not answer in time"):
            put(storage, "a", bytes(2 * MIB))
        [client] = storage._opened()._client._clients.values()
        limits = client.meta.config
        assert (limits.connect_timeout, limits.read_timeout) == (patience.connect, patience.answer)
        listener.settimeout(60)
        listener.accept()[0].close()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert patience.retry_within + patience.connect + 1 + patience.answer < 10


def test_who_comes_later_does_not_wait_for_a_store_that_is_away(
    make_storage: Callable[..., S3Storage],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        port = listener.getsockname()[1]
        settings = {**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}
        storage = make_storage(settings, Patience(answer=1.0, rest=60))
        with told(storage, "did not answer in time"):
            storage.stat("a")
        listener.accept()[0].close()
        with ThreadPoolExecutor(4) as pool:
            for failed in [pool.submit(storage.stat, "a") for _ in range(20)]:
                with told(storage, "did not answer in time"):
                    failed.result(timeout=60)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody has tried


def test_one_at_a_time_tries_a_store_that_is_away() -> None:
    now = 0.0
    outage = Outage(rest=2.0, attempt=9.0, now=lambda: now)
    outage.enter()
    error = outage.begin("It is away.")
    assert (error.message, error.retry_after) == ("It is away.", 2.0)
    now = 1.9
    with pytest.raises(ProviderUnavailable, match=r"It is away\."):
        outage.enter()
    now = 2.0
    outage.enter()
    now = 10.9
    with pytest.raises(ProviderUnavailable):
        outage.enter()
    now = 11.0
    outage.enter()  # who tried before has vanished
    outage.over()
    assert outage.sentence is None
    outage.enter()
    outage.enter()


# The real one, gone and back


def test_a_store_that_was_away_is_used_again(
    weed: Any, folder: str, make_storage: Callable[..., S3Storage], wait_until: Callable[..., None]
) -> None:
    storage = make_storage(weed.settings(folder), PATIENT)
    put(storage, "a", b"before")
    weed.kill()
    try:
        for operation in OPERATIONS.values():
            with told(storage, "cannot be reached"):
                operation(storage)
        assert "cannot be reached" in (storage.trouble or "")
    finally:
        weed.start()
    wait_until(lambda: _reads(storage, "a", b"before"))
    assert storage.trouble is None
    assert put(storage, "b", b"after") == storage.stat("b")
    assert [info.key for info in storage.list()] == ["a", "b"]


def test_a_store_that_goes_in_the_middle_of_an_upload(
    weed: Any,
    folder: str,
    make_context: Callable[..., FakeContext],
    wait_until: Callable[..., None],
) -> None:
    context = make_context(weed.settings(folder))
    storage = S3Storage(context.settings, context.clock, context.log, PATIENT)
    put(storage, "a", b"old")

    class Killing(io.RawIOBase):
        """Ends the store when the first part is there."""

        given = 0

        def read(self, size: int = -1, /) -> bytes:
            if self.given == 8 * MIB:
                weed.kill()
            count = min(size, 9 * MIB - self.given)
            self.given += count
            return bytes(count)

    try:
        with told(storage, "cannot be reached"):
            storage.put("a", Killing(), "a/b")  # type: ignore[arg-type]  # it can read
        assert any("unfinished upload stays" in text for text in context.log.messages)
    finally:
        weed.start()
    wait_until(lambda: _reads(storage, "a", b"old"))
    assert put(storage, "a", b"new").size == 3
    storage.close()


def _reads(storage: S3Storage, key: str, content: bytes) -> bool:
    try:
        return read(storage, key) == content
    except (ProviderUnavailable, NotFound):
        return False
