"""What the server judges before, or instead of, the application."""

from __future__ import annotations

import logging
import socket
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.server import channel

LIMIT = 1000  # of the fixture


@pytest.fixture
def lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client may send for longer than two seconds: a busy machine lets it."""
    monkeypatch.setattr(channel, "_LINGER_SECONDS", 60.0)


def post(length: int | str, *headers: str) -> str:
    lines = ["POST /up HTTP/1.1", "Host: t", f"Content-Length: {length}", *headers, "", ""]
    return "\r\n".join(lines)


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)], ids=["plain", "expecting"])
def test_too_large_a_body_is_refused_before_it_is_sent(serve, expect):
    client = serve().client()
    client.send(post(LIMIT + 1, *expect))
    reply = client.reply()
    assert (reply.status, reply.headers["Connection"]) == (413, "close")
    assert reply.json["error"] == "PAYLOAD_TOO_LARGE"
    assert reply.json["path"] == "/up"
    assert client.ended()


def test_a_body_of_exactly_the_limit_is_taken(serve):
    client = serve().client()
    client.send(post(LIMIT), b"x" * LIMIT)
    assert client.reply().body == b"/up" + b"x" * LIMIT


@pytest.mark.usefixtures("lingering")
def test_refused_client_that_goes_on_sending_sees_the_answer(serve):
    client = serve().client()
    client.send(post(50_000_000))
    try:
        for _ in range(500):
            client.send(b"x" * 100_000)
    except OSError:
        pytest.fail("the connection was reset under the client's hands")
    assert client.reply().status == 413


def test_body_limit_is_asked_by_method_and_decoded_path(serve):
    asked = []

    def limit(method: str, path: str) -> int:
        asked.append((method, path))
        return 3

    served = serve(body_limit=limit)
    client = served.client()
    client.send("PUT //p%C3%A4th?q=1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
    assert client.reply().status == 200
    assert client.get("/none").status == 200
    assert asked == [("PUT", "/p\u00e4th")]


def test_body_limit_that_fails_is_a_500(serve):
    def limit(method: str, path: str) -> int:
        raise LookupError

    served = serve(body_limit=limit)
    client = served.client()
    client.send(post(1))
    assert client.reply().json["error"] == "INTERNAL_ERROR"
    assert served.get("/fine").status == 200


CHUNKED = "POST /up HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_body_of_the_limit_is_taken(serve):
    client = serve().client()
    client.send(
        CHUNKED, "1f4\r\n" + "a" * 500 + "\r\n", "1f4\r\n" + "b" * 500 + "\r\n", "0\r\n\r\n"
    )
    assert client.reply().body == b"/up" + b"a" * 500 + b"b" * 500
    assert client.get("/next").body == b"/next"


@pytest.mark.usefixtures("lingering")
@pytest.mark.parametrize("pieces", [1, 7, 100_000], ids=["bytewise", "small", "at once"])
def test_chunked_body_is_cut_off_at_the_limit(serve, pieces):
    client = serve().client()
    body = (CHUNKED + "3e8\r\n" + "a" * LIMIT + "\r\n" + "1\r\nb\r\n0\r\n\r\n").encode()
    for start in range(0, len(body), pieces):
        client.send(body[start : start + pieces])
    reply = client.reply()
    assert (reply.status, reply.headers["Connection"]) == (413, "close")
    assert client.ended()


def test_endless_chunked_body_is_cut_off(serve):
    client = serve().client()
    client.send(CHUNKED)

    def send_on() -> None:
        while True:
            client.send("3e8\r\n" + "a" * LIMIT + "\r\n")

    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # nobody listens any more
        send_on()


@pytest.mark.parametrize(
    "junk",
    [
        "5;" + "x" * 5000,
        "0\r\nTrailer: " + "x" * 20_000,
        "0\r\n" + "A: b\r\n" * 3000,
        "zz\r\n",
        "f" * 17 + "\r\n",
        "5\r\nabcdefgh\r\n",
        "5\n\r\nabcde\r\n0\r\n\r\n",
        "5;a\n\r\nabcde\r\n0\r\n\r\n",
        "\r\n5\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n\r\n0\r\n\r\n",
        "0\r\nno trailer\r\n\r\n",
        "0\r\nA: b\nC: d\r\n\r\n",
    ],
    ids=[
        "control line",
        "trailer",
        "trailers",
        "size",
        "long size",
        "end of chunk",
        "line feed in size",
        "line feed in extension",
        "empty line first",
        "empty line between",
        "trailer without colon",
        "line feed in trailer",
    ],
)
def test_malformed_chunks_are_refused(serve, junk):
    client = serve().client()
    client.send(CHUNKED, junk)
    assert client.reply().json["error"] == "INVALID_REQUEST"


@pytest.mark.parametrize("pieces", [1, 2, 1000], ids=["bytewise", "in pairs", "at once"])
def test_chunks_with_extensions_and_trailers_are_read(serve, pieces):
    client = serve().client()
    body = (CHUNKED + '2;a="b;c";d\r\nab\r\n00A\r\n0123456789\r\n0\r\nA: b\r\nC:\r\n\r\n').encode()
    body += b"GET /next HTTP/1.1\r\nHost: t\r\n\r\n"
    for start in range(0, len(body), pieces):
        client.send(body[start : start + pieces])
    assert client.reply().body == b"/upab0123456789"
    assert client.reply().body == b"/next"


def test_wanted_body_is_asked_for(serve):
    client = serve().client()
    client.send(post(3, "Expect: 100-continue"))
    assert client.reply().status == 100
    client.send("abc")
    assert client.reply().body == b"/upabc"
    client.send(post(3, "Expect: 100-continue"))
    assert client.reply().status == 100
    client.send("def")
    assert client.reply().body == b"/updef"


def test_pipelined_body_is_asked_for_after_the_answer_before_it(serve):
    client = serve().client()
    client.send("GET /first HTTP/1.1\r\nHost: t\r\n\r\n", post(3, "Expect: 100-continue"))
    assert client.reply().body == b"/first"
    assert client.reply().status == 100
    client.send("abc")
    assert client.reply().body == b"/upabc"


def test_client_that_leaves_when_it_is_asked_for_its_body_is_no_fault(serve, caplog):
    served = serve()
    for _ in range(20):
        client = served.client()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.send(post(3, "Expect: 100-continue"))
        client.close()  # with a reset
    assert served.get("/fine").status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_expectation_without_a_body_is_no_reason_to_wait(serve):
    client = serve().client()
    assert client.get("/now", "Expect: 100-continue").body == b"/now"


MALFORMED = {
    "no http": (b"hello\r\n\r\n", 400),
    "lower-case method": (b"get / HTTP/1.1\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 505),
    "http 2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "bare line feed": (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
    "header without name": (b"GET / HTTP/1.1\r\n: b\r\n\r\n", 400),
    "broken ipv6 address": (b"GET http://[::1/ HTTP/1.1\r\n\r\n", 400),
    "negative length": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "length with expectation": (
        b"POST / HTTP/1.1\r\nContent-Length: a\r\nExpect: 100-continue\r\n\r\n",
        400,
    ),
    "length of 5,000 digits": (
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        400,
    ),
    "length of 100 digits": (
        b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 100 + b"\r\n\r\n",
        413,
    ),
    "both framings": (
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two codings": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"
        b"0\r\n\r\n",
        400,
    ),
    "empty coding beside a length": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding:\r\nContent-Length: 1\r\n\r\na",
        400,
    ),
    "coding on two lines": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n ,\r\n\r\n0\r\n\r\n",
        400,
    ),
    "tab in the target": (b"GET /a\tb HTTP/1.1\r\n\r\n", 400),
    "control character in the target": (b"GET /a\x01 HTTP/1.1\r\n\r\n", 400),
    "other coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "large head": (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000, 431),
}


@pytest.mark.parametrize(("raw", "status"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_request_is_answered_and_ends_its_connection_only(serve, raw, status):
    served = serve()
    client = served.client()
    client.send(raw)
    reply = client.reply()
    assert (reply.status, reply.headers["Connection"]) == (status, "close")
    assert reply.headers["Content-Type"] == "application/json"
    assert set(reply.json) == {"error", "message", "path"}
    assert client.ended()
    assert served.get("/fine").body == b"/fine"


def test_refusal_of_head_has_no_body(serve):
    client = serve().client()
    client.send(f"HEAD / HTTP/1.1\r\nContent-Length: {LIMIT + 1}\r\n\r\n")
    reply = client.reply("HEAD")
    assert reply.status == 413
    assert int(reply.headers["Content-Length"]) > 0
    assert client.ended()


def test_error_that_cannot_be_rendered_is_answered_all_the_same(serve):
    def render(*args: Any) -> Any:
        raise LookupError

    client = serve(render_error=render).client()
    client.send(post(LIMIT + 1))
    reply = client.reply()
    assert reply.status == 413
    assert reply.json["error"] == "PAYLOAD_TOO_LARGE"


def test_urgent_bytes_do_not_keep_the_loop_busy(serve):
    served = serve()
    client = served.client()
    client.socket.send(b"!", socket.MSG_OOB)
    assert client.get("/fine").body == b"/fine"


TOKENS = st.sampled_from(
    [
        b"GET ",
        b"POST ",
        b"/ ",
        b"/up ",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"Content-Length: ",
        b"5",
        b"-1",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"Connection: close",
        b"0\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"Upgrade: websocket",
        b"\x00",
        b"\xff\xfe",
        b"http://[",
        b"x" * 3000,
    ]
)


@settings(max_examples=150)
@given(st.lists(st.one_of(TOKENS, st.binary(max_size=30)), max_size=30))
def test_no_bytes_bring_the_server_down(shared, parts):
    with socket.create_connection(shared.address, timeout=20) as client:
        try:
            client.sendall(b"".join(parts))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
        except TimeoutError:
            raise
        except OSError:  # the server may have closed the connection before all was said
            pass
    with socket.create_connection(shared.address, timeout=20) as client:
        client.sendall(b"GET /alive HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"/alive")


@pytest.fixture
def shared(serve):
    return serve()
