"""A store that is away, refuses, or is none: clear sentences, soon, and it heals."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from builtin_plugins.s3_storage.config import Patience
from builtin_plugins.s3_storage.outage import Outage
from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import NotFound, ProviderUnavailable
from plugin_sdk.testing import FakeContext

MIB = 1024 * 1024
SETTINGS = {
    "bucket": "somewhere",
    "prefix": "here",
    "accessKeyId": "AKSECRETID",
    "secretAccessKey": "never-to-be-told",
}
QUICK = Patience(connect=0.5, answer=0.5, upload=1.0, retry_within=0.3, pause=0.05, rest=0.2)


def put(storage: S3Storage, key: str, content: bytes = b"1") -> Any:
    return storage.put(key, io.BytesIO(content), "a/b")


def read(storage: S3Storage, key: str) -> bytes:
    with storage.open(key) as stream:
        return stream.read()


OPERATIONS: dict[str, Callable[[S3Storage], object]] = {
    "put": lambda storage: put(storage, "a"),
    "put in parts": lambda storage: put(storage, "a", bytes(2 * MIB)),
    "stat": lambda storage: storage.stat("a"),
    "open": lambda storage: storage.open("a"),
    "delete": lambda storage: storage.delete("a"),
    "list": lambda storage: storage.list(),
    "abort_leftovers": lambda storage: storage.abort_leftovers(lambda: True),
}
PATIENT = replace(QUICK, connect=5.0, answer=20.0, upload=30.0)
"""For a store that is there, on a machine that is busy."""
UNTIRING = replace(QUICK, rest=0.0)  # so that every operation really tries


@pytest.fixture
def make_storage(make_context: Callable[..., FakeContext]) -> Iterator[Callable[..., S3Storage]]:
    made: list[S3Storage] = []

    def make(settings: dict[str, Any], patience: Patience = QUICK) -> S3Storage:
        context = make_context(settings)
        made.append(S3Storage(context.settings, context.clock, context.log, patience))
        return made[-1]

    yield make
    for storage in made:
        storage.close()


@contextmanager
def told(storage: S3Storage, *parts: str) -> Iterator[None]:
    """The block raises a sentence that names the store, with all of these parts, and no key."""
    with pytest.raises(ProviderUnavailable) as raised:
        yield
    settings = storage._settings
    text = str(raised.value)
    assert "echo" not in text
    for part in (settings["endpoint"], f'"{settings["bucket"]}"', *parts):
        assert part in text, text
    _assert_no_secret(raised.value, settings)


def _assert_no_secret(error: BaseException | None, settings: Any) -> None:
    while error is not None:
        for name in ("accessKeyId", "secretAccessKey"):
            assert settings[name] not in f"{error} {error!r} {error.args}"
        error = error.__cause__ or error.__context__


def test_nobody_listens(make_storage: Callable[..., S3Storage]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    storage = make_storage({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}, UNTIRING)
    for operation in OPERATIONS.values():
        with told(storage, "cannot be reached: it does not take connections there", '"endpoint"'):
            operation(storage)


def test_an_unknown_host(make_storage: Callable[..., S3Storage]) -> None:
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
        storage = make_storage({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"})
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
    storage = make_storage(settings, replace(PATIENT, rest=0.0, retry_within=20.0))
    content = bytes(range(256)) * (9 * MIB // 256)
    relay.cut_after_sending(6 * MIB, 3 * MIB)
    assert put(storage, "a", content).size == 9 * MIB
    assert read(storage, "a") == content
    relay.cut_after_sending(*[3 * MIB] * QUICK.attempts)
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
    """The promise itself, with the times that the plugin uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        settings = {**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}
        storage = make_storage(settings, Patience())
        begun = time.monotonic()
        with told(storage, "did not answer in time"):
            put(storage, "a", bytes(2 * MIB))
        assert time.monotonic() - begun < 20  # ten on a machine that has time
    patience = Patience()
    assert patience.retry_within + patience.connect + 1 + patience.answer < 10


def test_who_comes_later_does_not_wait_for_a_store_that_is_away(
    make_storage: Callable[..., S3Storage],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        port = listener.getsockname()[1]
        settings = {**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}
        storage = make_storage(settings, Patience(answer=1.0, rest=60))
        with told(storage, "did not answer in time"):
            storage.stat("a")
        listener.accept()[0].close()
        with ThreadPoolExecutor(4) as pool:
            for failed in [pool.submit(storage.stat, "a") for _ in range(20)]:
                with told(storage, "did not answer in time"):
                    failed.result(timeout=30)
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


def test_wrong_keys(weed: Any, folder: str, make_storage: Callable[..., S3Storage]) -> None:
    for wrong, code, setting in (
        ("accessKeyId", "InvalidAccessKeyId", '"accessKeyId"'),
        ("secretAccessKey", "SignatureDoesNotMatch", '"secretAccessKey"'),
    ):
        storage = make_storage({**weed.settings(folder), wrong: "something-else"}, PATIENT)
        for operation in OPERATIONS.values():
            with told(storage, "refuses", code, setting):
                operation(storage)


def test_a_key_that_may_only_read(
    weed: Any, folder: str, storage: S3Storage, make_storage: Callable[..., S3Storage]
) -> None:
    put(storage, "a", b"kept")
    reader = make_storage(weed.settings(folder, "reader"), PATIENT)
    for operation in ("put", "put in parts", "delete"):
        with told(reader, "the access key may not do this (AccessDenied)", "Allow it"):
            OPERATIONS[operation](reader)
    assert read(reader, "a") == b"kept"


def test_a_missing_bucket(weed: Any, folder: str, make_storage: Callable[..., S3Storage]) -> None:
    storage = make_storage({**weed.settings(folder), "bucket": "not-there"}, PATIENT)
    for operation in OPERATIONS.values():
        with told(storage, "there is no such bucket (NoSuchBucket)", "Create it"):
            operation(storage)


@pytest.mark.parametrize("host", ["127.0.0.1:99999", "a" * 64 + ".example", "a..b", "..", "-"])
def test_an_endpoint_that_is_none(make_storage: Callable[..., S3Storage], host: str) -> None:
    storage = make_storage({**SETTINGS, "endpoint": f"http://{host}"})
    with told(storage, "settings of s3_storage"):
        storage.list()


def test_https_to_a_store_without_it(
    weed: Any, folder: str, make_storage: Callable[..., S3Storage]
) -> None:
    endpoint = weed.endpoint.replace("http", "https")
    storage = make_storage({**weed.settings(folder), "endpoint": endpoint}, PATIENT)
    with told(storage, "does not speak TLS"):
        storage.stat("a")


# Servers that answer in other ways


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers, the last one again and again; and what it was asked."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def failing(status: int, code: str, more: str = "") -> tuple[int, dict[str, str], bytes]:
    body = f"<Error><Code>{code}</Code><Message>An echo.</Message>{more}</Error>"
    return status, {"Content-Type": "application/xml"}, body.encode()


HEAD = (200, {"ETag": '"e"', "Last-Modified": "Fri, 01 May 2026 12:00:00 GMT"}, b"12345")
PAGE = (200, {"Content-Type": "text/html"}, b"<html><body>Welcome</body></html>")


@pytest.mark.parametrize(
    "answer",
    [
        PAGE,
        (200, {"Content-Type": "text/html"}, b"<!doctype html><br><p>Welcome"),
        (404, {}, b"<html>"),
        (403, {}, b""),
        (302, {"Location": "https://127.0.0.1:1/"}, b""),
    ],
)
def test_a_server_that_is_no_store(
    make_storage: Callable[..., S3Storage], answer: tuple[int, dict[str, str], bytes]
) -> None:
    with answering(answer) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        for operation in OPERATIONS.values():
            with told(storage, "does not answer like an S3 store", '"endpoint"'):
                operation(storage)
        assert len(asked) <= 2 * len(OPERATIONS), "redirects are not followed"


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (failing(400, "AuthorizationHeaderMalformed", "<Region>eu-west-9</Region>"), ["eu-west-9"]),
        (failing(301, "PermanentRedirect"), ["another region", '"region"']),
        (failing(403, "RequestTimeTooSkewed"), ["clock"]),
        (failing(507, "XMinioStorageFull"), ["is full"]),
        (failing(418, "Teapot"), ["HTTP 418 Teapot"]),
        (failing(418, "never to be told"), ["does not answer like an S3 store"]),
        (failing(503, "SlowDown"), ["too much to do (HTTP 503", "Try again"]),
        ((500, {}, b""), ["too much to do (HTTP 500)"]),
    ],
)
def test_answers_of_stores(
    make_storage: Callable[..., S3Storage],
    answer: tuple[int, dict[str, str], bytes],
    parts: list[str],
) -> None:
    with answering(answer) as (endpoint, _):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        for operation in ("put", "stat", "list"):
            with told(storage, *parts):
                OPERATIONS[operation](storage)


def test_an_answer_that_cannot_be_read(make_storage: Callable[..., S3Storage]) -> None:
    nonsense = (200, {"ETag": '"e"', "Last-Modified": "nonsense"}, b"12345")
    with answering(nonsense) as (endpoint, _):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        with told(storage, "does not answer like an S3 store", "cannot be read"):
            storage.stat("a")


def test_what_may_pass_is_tried_again_within_bounds(
    make_storage: Callable[..., S3Storage],
) -> None:
    patience = replace(QUICK, retry_within=10.0)
    with answering(failing(503, "SlowDown"), (500, {}, b""), HEAD) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, patience)
        assert storage.stat("a").size == 5
        assert asked == ["HEAD"] * 3
    with answering(failing(503, "SlowDown")) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, patience)
        with pytest.raises(ProviderUnavailable):
            storage.list()
        assert len(asked) == QUICK.attempts
    with answering(failing(503, "SlowDown")) as (endpoint, asked):
        storage = make_storage(
            {**SETTINGS, "endpoint": endpoint}, replace(patience, retry_within=0.0)
        )
        with pytest.raises(ProviderUnavailable):
            storage.list()
        assert len(asked) == 1, "it is too late for more"
    with answering(failing(400, "MalformedXML")) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, patience)
        with pytest.raises(ProviderUnavailable):
            storage.list()
        assert len(asked) == 1


def test_a_store_without_ranges_gives_no_wrong_bytes(
    make_storage: Callable[..., S3Storage],
) -> None:
    with answering(HEAD) as (endpoint, _):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        assert read(storage, "a") == b"12345"
        with told(storage, "the whole object in place of a part"):
            storage.open("a", 2, 2)


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
