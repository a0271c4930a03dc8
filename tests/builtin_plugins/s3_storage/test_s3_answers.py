"""A store that refuses, or a server that is none: clear sentences, and no wrong bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from s3_trouble import (
    OPERATIONS,
    PATIENT,
    SETTINGS,
    make_storage,
    put,
    read,
    told,
)

from builtin_plugins.s3_storage.provider import S3Storage
from plugin_sdk import ProviderUnavailable

__all__ = ["make_storage"]

ONCE = replace(PATIENT, retry_within=0.0)
"""What is answered is what counts, and not how often it is asked for."""


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
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, ONCE)
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
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, ONCE)
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
    with answering(failing(503, "SlowDown"), (500, {}, b""), HEAD) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        assert storage.stat("a").size == 5
        assert asked == ["HEAD"] * 3
    with answering(failing(503, "SlowDown")) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        with pytest.raises(ProviderUnavailable):
            storage.list()
        assert len(asked) == PATIENT.attempts
    with answering(failing(503, "SlowDown")) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint}, ONCE)
        with pytest.raises(ProviderUnavailable):
            storage.list()
        assert len(asked) == 1, "it is too late for more"
    with answering(failing(400, "MalformedXML")) as (endpoint, asked):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
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


def test_reading_goes_on_where_it_broke_off_or_not_at_all(
    make_storage: Callable[..., S3Storage],
) -> None:
    status, headers, content = HEAD
    broken = (status, {**headers, "Content-Length": "9"}, content)
    rest = (206, {**headers, "Content-Range": "bytes 5-8/9"}, b"6789")
    with answering(broken, rest) as (endpoint, _):
        assert read(make_storage({**SETTINGS, "endpoint": endpoint}), "a") == b"123456789"
    with answering(broken, (status, headers, b"123456789")) as (endpoint, _):
        storage = make_storage({**SETTINGS, "endpoint": endpoint})
        with told(storage, "the whole object in place of a part"):
            read(storage, "a")
