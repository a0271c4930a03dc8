"""Requests and answers over one connection."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from typing import Any

import pytest


def by_path(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    if path == "/unchanged":
        start_response("304 Not Modified", [("ETag", '"a"'), ("Content-Length", "5")])
        return []
    if path == "/stream":
        start_response("200 OK", [("content-type", "text/plain")])
        return (b"part %d;" % number for number in range(3))
    if path == "/late":
        return late(start_response)
    if path == "/large":
        start_response("200 OK", [])
        return [b"x" * 5_000_000]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [path.encode("latin-1")]


def late(start_response: Any) -> Any:
    start_response("200 OK", [])
    yield b"late"


def test_connection_is_kept_after_every_kind_of_answer(serve):
    client = serve(by_path).client()
    for _ in range(2):
        assert client.get("/empty").status == 204
        assert client.get("/unchanged").status == 304
        stream = client.get("/stream")
        assert stream.body == b"part 0;part 1;part 2;"
        assert stream.headers["Transfer-Encoding"] == "chunked"
        assert stream.headers["Content-Type"] == "text/plain"
        assert client.get("/late").body == b"late"
        assert client.get("/other").headers["Content-Length"] == "6"
        large = client.get("/large")
        assert large.body == b"x" * 5_000_000
        assert "Connection" not in large.headers


def test_authority_of_an_absolute_target_is_the_host(serve):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return [f"{environ['HTTP_HOST']} {environ['PATH_INFO']}".encode()]

    client = serve(app).client()
    assert client.get("http://there:81/a?b").body == b"there:81 /a"
    assert client.get("/a").body == b"test /a"


@pytest.mark.parametrize("path", ["/stream", "/late", "/other", "/large", "/empty"])
def test_head_has_no_body_and_the_next_answer_follows(serve, path):
    client = serve(by_path).client()
    assert client.get(path, method="HEAD").status in (200, 204)
    assert client.get("/next").body == b"/next"


def test_the_client_may_ask_for_the_end(serve):
    client = serve(by_path).client()
    assert client.get("/other", "Connection: keep-alive, close").headers["Connection"] == "close"
    assert client.ended()


def test_http_1_0(serve):
    served = serve(by_path)
    client = served.client()
    client.send("GET /other HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert client.reply().headers["Connection"] == "keep-alive"
    client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = client.reply()  # of unknown length: it ends where the connection does
    assert reply.body == b"part 0;part 1;part 2;"
    assert "Transfer-Encoding" not in reply.headers


def test_pipelined_requests_are_answered_in_order(serve):
    first = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/0":
            assert first.wait(60)
        body = environ["PATH_INFO"].encode() + environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    client = serve(app).client()
    client.send(
        *(f"POST /{n} HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nb{n:02d}" for n in range(20))
    )
    first.set()
    assert [client.reply().body for _ in range(20)] == [b"/%db%02d" % (n, n) for n in range(20)]


def test_client_that_has_said_all_still_gets_its_answers(serve, wait_for):
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert go.wait(60)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    served = serve(app)
    client = served.client()
    client.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    wait_for(lambda: any(c.half_closed for c in served.channels()), "end of the input")
    go.set()
    assert client.reply().body == b"ok"
    assert client.ended()


def test_requests_are_not_read_without_end_while_one_runs(serve):
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert go.wait(60)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    client = serve(app).client()
    request = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 900\r\n\r\n" + b"x" * 900
    client.socket.settimeout(0.3)
    sent = 0
    try:
        while sent < 30_000_000:
            sent += client.socket.send(request * 100)
    except TimeoutError:
        pass
    assert sent < 30_000_000
    client.socket.settimeout(20)
    go.set()
    assert client.reply().body == b"ok"


def fails_early(environ: dict[str, Any], start_response: Any) -> Any:
    raise LookupError("no secret in the answer")


def exits(environ: dict[str, Any], start_response: Any) -> Any:
    raise SystemExit(3)


def breaks_header(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("X-Note", "a\r\nSet-Cookie: b")])
    return []


def foreign_header(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("X-Note", "\u20ac"), ("Content-Length", "0")])
    return []


def own_connection(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", [("Upgrade", "h2c")])
    return []


@pytest.mark.parametrize(
    "app",
    [fails_early, exits, breaks_header, foreign_header, own_connection],
    ids=lambda a: a.__name__,
)
def test_failing_application_is_answered_in_the_host_shape(serve, app):
    def gateway(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/fine":
            start_response("200 OK", [("Content-Length", "0")])
            return []
        return app(environ, start_response)

    served = serve(gateway, threads=1)
    reply = served.get("/some/path")
    assert (reply.status, reply.headers["Connection"]) == (500, "close")
    assert reply.json["error"] == "INTERNAL_ERROR"
    assert reply.json["path"] == "/some/path"
    assert b"secret" not in reply.body
    assert served.get("/x", method="HEAD").status == 500
    assert served.get("/fine").status == 200


def test_answer_that_fails_on_its_way_is_cut_off(serve):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        yield b"begun"
        raise LookupError("midway")

    client = serve(app).client()
    with pytest.raises((EOFError, ValueError)):
        client.get("/")


def test_too_short_an_answer_ends_the_connection(serve):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]

    client = serve(app).client()
    assert client.get("/").body == b"short"
    assert client.ended()


def test_too_long_an_answer_is_cut_to_its_length(serve):
    asked = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        for _ in range(10):
            asked.append(1)
            yield b"abc"

    client = serve(app).client()
    assert [client.get("/").body, client.get("/").body] == [b"abca", b"abca"]
    assert len(asked) < 10


def test_write_callable_of_start_response(serve):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response("200 OK", [("Content-Length", "6")])
        write(b"abc")
        return [b"def"]

    assert serve(app).get("/").body == b"abcdef"


def test_headers_may_be_replaced_until_they_are_sent(serve):
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("X-First", "1"), ("Content-Length", "100")])
        try:
            raise LookupError
        except LookupError as error:
            start_response("404 Not Found", [], (type(error), error, error.__traceback__))
        return [b"none"]

    reply = serve(app).get("/")
    assert (reply.status, reply.body) == (404, b"none")
    assert "X-First" not in reply.headers


def test_environ_says_where_the_request_came_from(serve):
    seen = {}

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        seen.update(environ)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    served = serve(app)
    client = served.client()
    client.get("//p%C3%A4th%2Fx?q=%20", "X-Forwarded-For: 10.0.0.1", "X-Twice: a", "X-Twice: b")
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/p\u00e4th/x"
    assert seen["QUERY_STRING"] == "q=%20"
    assert seen["HTTP_X_TWICE"] == "a, b"
    assert seen["wsgi.input_terminated"] is True


def test_nothing_of_a_request_waits_for_the_garbage_collector(serve, wait_for):
    class Mark:
        pass

    marks: list[weakref.ref[Mark]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        environ["test.mark"], environ["test.start"] = Mark(), start_response
        marks.append(weakref.ref(environ["test.mark"]))
        return by_path(environ, start_response)

    client = serve(app).client()
    gc.disable()
    try:
        for path in ("/", "/empty", "/stream", "/late", "/large"):
            client.get(path)
        wait_for(lambda: not any(mark() for mark in marks), "the end of five requests")
    finally:
        gc.enable()


def test_several_addresses_share_one_application(serve):
    told = []
    served = serve(listen=["127.0.0.1:0", "127.0.0.1:0", "[::1]:0"], on_bound=told.append)
    addresses = served.server.addresses
    assert told == [addresses]
    assert [a.rpartition(":")[0] for a in addresses] == ["127.0.0.1", "127.0.0.1", "[::1]"]
    assert len({a.rpartition(":")[2] for a in addresses}) == 3
    for address in addresses:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=20) as client:
            client.sendall(b"GET /here HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"/here")


def test_two_servers_in_one_process_do_not_see_each_other(serve):
    one = serve(lambda e, s: (s("200 OK", [("Content-Length", "3")]), [b"one"])[1])
    two = serve(lambda e, s: (s("200 OK", [("Content-Length", "3")]), [b"two"])[1])
    client = two.client()
    assert [one.get("/").body, client.get("/").body] == [b"one", b"two"]
    assert one.server.stop(60)
    assert client.get("/").body == b"two"
