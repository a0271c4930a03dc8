"""Open WebSockets: messages, their order, and how connections end."""

from __future__ import annotations

import struct
import threading
import time
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from plugin_sdk import Invalid

from .conftest import Raw, closed_with, silent, stuff


def test_text_and_bytes_there_and_back(served):
    client = served.websocket("/ws", max_size=None)
    for message in [
        "",
        "h\u00e9llo \u20ac \U0001f50a",
        b"",
        b"\x00\xff",
        "x" * 125,
        "x" * 126,
        "x" * 65536,
    ]:
        client.send(message)
        assert client.recv(20) == message


def test_connection_knows_its_request(served):
    served.websocket("/ws")
    session = served.session()
    connection = session.connection
    assert connection.request is session.request
    assert connection.principal is session.request.principal
    assert connection.closed is False
    served.websocket("/ws")
    assert served.session().connection.id != connection.id


def test_fragments_are_put_together_and_control_frames_may_come_between(served):
    raw = Raw(served)
    raw.send(Opcode.TEXT, "h\u00e9".encode()[:2], fin=False)  # cut inside a character
    raw.send(Opcode.PING, b"mid")
    raw.send(Opcode.CONT, b"", fin=False)
    raw.send(Opcode.CONT, "h\u00e9".encode()[2:], fin=True)
    assert raw.frame() == (Opcode.PONG, b"mid")
    assert raw.frame() == (Opcode.TEXT, "h\u00e9".encode())
    raw.send(Opcode.BINARY, b"next")
    assert raw.frame() == (Opcode.BINARY, b"next")


def test_messages_of_a_connection_are_handed_over_one_by_one_in_order(serve, wait_for):
    got: list[str] = []
    inside = []

    def handler(connection: Any) -> None:
        def on_message(message: str) -> None:
            inside.append(message)
            assert len(inside) == 1
            time.sleep(0)  # gives other threads their chance
            got.append(message)
            inside.pop()

        connection.on_message(on_message)

    served = serve()
    served.sockets.add("/ws", handler)
    client = served.websocket("/ws")
    for number in range(500):
        client.send(str(number))
    wait_for(lambda: len(got) == 500, "messages")
    assert got == [str(number) for number in range(500)]


def test_messages_wait_until_the_handler_has_returned(serve):
    ready = threading.Event()

    def handler(connection: Any) -> None:
        assert ready.wait(20)
        connection.on_message(connection.send)

    served = serve()
    served.sockets.add("/ws", handler)
    client = served.websocket("/ws")
    client.send("early")
    ready.set()
    assert client.recv(20) == "early"


def test_messages_without_a_callback_are_dropped(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", silent)
    client = served.websocket("/ws")
    for _ in range(100):
        client.send("nobody listens")
    assert client.ping().wait(20)
    client.close()
    wait_for(lambda: served.session().returned == 1, "return of the lease")


def test_send_json(served):
    client = served.websocket("/ws")
    connection = served.session().connection
    assert connection.send_json({"a": [1, "\u20ac"]})
    assert client.recv(20) == '{"a":[1,"\u20ac"]}'
    with pytest.raises(Invalid):
        connection.send_json({"a": float("nan")})
    with pytest.raises(Invalid):
        connection.send("\ud800")
    with pytest.raises(Invalid):
        connection.send(bytearray(b"x"))
    assert connection.send("fine")


def test_client_closes(served, wait_for):
    client = served.websocket("/ws")
    session = served.session()
    client.close(4001, "bye")
    wait_for(lambda: session.returned, "return of the lease")
    assert session.ended == [(4001, "bye")]
    assert session.returned == 1
    assert session.connection.closed
    assert session.connection.send("late") is False
    wait_for(lambda: served.server.hub.connections == 0, "end")


def test_close_without_code(served, wait_for):
    raw = Raw(served)
    raw.send(Opcode.CLOSE)
    assert raw.frame() == (Opcode.CLOSE, b"")
    assert raw.client.ended()
    wait_for(lambda: served.session().ended == [(1005, "")], "close")


def test_server_closes_after_what_is_queued(served, wait_for):
    client = served.websocket("/ws")
    session = served.session()
    assert session.connection.send("last words")
    session.connection.close(3000, "enough")
    session.connection.close(3001, "too late")
    assert session.connection.send("late") is False
    assert client.recv(20) == "last words"
    assert closed_with(client) == (3000, "enough")
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert session.ended == [(3000, "enough")]


def test_close_waits_for_a_slow_client_to_read_what_is_queued(serve):
    served = serve()
    served.server.hub._close_seconds = 60  # so long this client may take to read it all
    served.sockets.add("/ws", silent, max_queue=100_000_000)
    raw = Raw(served)
    connection = served.session().connection
    sent = stuff(served, connection)
    connection.close(3000)
    for _ in range(sent):
        assert raw.frame() == (Opcode.TEXT, b"x" * 50_000)
    assert raw.closing() == 3000


@pytest.mark.parametrize(
    ("code", "reason"), [(1005, ""), (1006, ""), (999, ""), (5000, ""), (1000, "x" * 124)]
)
def test_close_that_cannot_be_sent(served, code, reason):
    client = served.websocket("/ws")
    connection = served.session().connection
    with pytest.raises(Invalid):
        connection.close(code, reason)
    client.send("still open")
    assert client.recv(20) == "still open"


def test_client_that_vanishes(served, wait_for):
    raw = Raw(served)
    session = served.session()
    raw.client.close()
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert session.ended == [(1006, "")]
    wait_for(lambda: served.server.hub.connections == 0, "end")


def test_client_that_ignores_the_close_is_cut_off(served, wait_for):
    served.server.hub._close_seconds = 0.2
    raw = Raw(served)
    served.session().connection.close()
    assert raw.closing() == 1000
    wait_for(lambda: served.server.hub.connections == 0, "end")


def test_on_close_may_come_late(served, wait_for):
    client = served.websocket("/ws")
    session = served.session()
    client.close(4002)
    wait_for(lambda: session.returned, "end")
    seen = []
    session.connection.on_close(lambda code, reason: seen.append(code))
    assert seen == [4002]


def test_nothing_behind_a_broken_text_is_handed_over(served, wait_for):
    heard: list[Any] = []
    served.sockets.add("/heard", lambda connection: connection.on_message(heard.append))
    raw = Raw(served, "/heard")
    frames = [Frame(Opcode.TEXT, data) for data in (b"before", b"\xff", b"behind")]
    raw.client.send(b"".join(frame.serialize(mask=True) for frame in frames))
    assert raw.closing() == 1007
    session = served.session()
    wait_for(lambda: session.returned, "end")
    assert heard == ["before"]


def bad_utf8(raw: Raw) -> None:
    raw.send(Opcode.TEXT, b"\xff\xfe")


def bad_utf8_in_fragments(raw: Raw) -> None:
    raw.send(Opcode.TEXT, b"\xc3", fin=False)
    raw.send(Opcode.CONT, b"\x28")


def unmasked(raw: Raw) -> None:
    raw.send(Opcode.TEXT, b"x", mask=False)


def lone_continuation(raw: Raw) -> None:
    raw.send(Opcode.CONT, b"x")


def unknown_opcode(raw: Raw) -> None:
    raw.client.send(b"\x83\x80\x00\x00\x00\x00")


def reserved_bit(raw: Raw) -> None:
    raw.client.send(b"\xc1\x80\x00\x00\x00\x00")


def fragmented_ping(raw: Raw) -> None:
    raw.client.send(b"\x09\x80\x00\x00\x00\x00")


def large_frame(raw: Raw) -> None:
    raw.client.send(b"\x82\xff" + struct.pack("!Q", 65537))


def large_fragments(raw: Raw) -> None:
    raw.send(Opcode.BINARY, b"x" * 40_000, fin=False)
    raw.send(Opcode.CONT, b"x" * 25_537)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (bad_utf8, 1007),
        (bad_utf8_in_fragments, 1007),
        (unmasked, 1002),
        (lone_continuation, 1002),
        (unknown_opcode, 1002),
        (reserved_bit, 1002),
        (fragmented_ping, 1002),
        (large_frame, 1009),
        (large_fragments, 1009),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_broken_rules_close_the_connection(served, wait_for, act, code):
    raw = Raw(served)
    session = served.session()
    act(raw)
    assert raw.closing() == code
    assert raw.client.ended()
    raw.client.close()
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert [ending[0] for ending in session.ended] == [code]
    assert served.websocket("/ws").ping().wait(20)


def test_callback_that_fails_closes_with_1011(serve, wait_for):
    def handler(connection: Any) -> None:
        def on_message(message: str) -> None:
            raise SystemExit(message)

        connection.on_message(on_message)

    def broken(connection: Any) -> None:
        raise LookupError

    served = serve()
    served.sockets.add("/ws", handler)
    served.sockets.add("/broken", broken)
    client = served.websocket("/ws")
    client.send("x")
    assert closed_with(client) == (1011, "internal error")
    assert closed_with(served.websocket("/broken")) == (1011, "internal error")
    wait_for(lambda: [s.returned for s in served.sockets.sessions] == [1, 1], "leases")
