"""Open WebSockets: messages, their order, limits, and how connections end."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from plugin_sdk import Invalid

UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec-WebSocket-Version: 13",
)


FRAMES = st.builds(
    lambda opcode, data, fin, mask: Frame(opcode, data, fin=fin).serialize(mask=mask),
    st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
    st.binary(max_size=200),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
) | st.builds(
    lambda opcode, data: Frame(opcode, data).serialize(mask=True),
    st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    st.binary(max_size=20),
)


def echo(connection: Any) -> None:
    connection.on_message(connection.send)


def silent(connection: Any) -> None:
    pass


def closing(client: Any, seconds: float = 20) -> tuple[int, str]:
    """Code and reason with which the server closed."""

    def listen() -> None:
        while True:
            client.recv(seconds)

    with pytest.raises(ConnectionClosed) as caught:
        listen()
    assert caught.value.rcvd is not None, "the connection was cut without a close frame"
    return caught.value.rcvd.code, caught.value.rcvd.reason


class Raw:
    """A WebSocket client of bytes."""

    def __init__(self, served: Any, path: str = "/ws") -> None:
        self.client = served.client()
        assert self.client.get(path, *UPGRADE).status == 101

    def send(
        self, opcode: Opcode, data: bytes = b"", *, fin: bool = True, mask: bool = True
    ) -> None:
        self.client.send(Frame(opcode, data, fin=fin).serialize(mask=mask))

    def frame(self) -> tuple[int, bytes]:
        head = self.client._file.read(2)
        if len(head) < 2:
            raise EOFError
        size = head[1]
        if size == 126:
            (size,) = struct.unpack("!H", self.client._file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.client._file.read(8))
        return head[0] & 15, self.client._file.read(size)

    def closing(self) -> int:
        """The code of the close frame that comes next but for other frames."""
        while True:
            opcode, data = self.frame()
            if opcode == Opcode.CLOSE:
                (code,) = struct.unpack("!H", data[:2])
                return code


@pytest.fixture
def served(serve):
    served = serve()
    served.sockets.add("/ws", echo)
    return served


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
    assert closing(client) == (3000, "enough")
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert session.ended == [(3000, "enough")]


def test_close_waits_for_a_slow_client_to_read_what_is_queued(serve):
    served = serve()
    served.sockets.add("/ws", silent, max_queue=100_000_000)
    raw = Raw(served)
    connection = served.session().connection
    sent = 0
    while not connection.unsent or not connection.pending:
        assert connection.send("x" * 50_000)
        sent += 1
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
    assert closing(client) == (1011, "internal error")
    assert closing(served.websocket("/broken")) == (1011, "internal error")
    wait_for(lambda: [s.returned for s in served.sockets.sessions] == [1, 1], "leases")


def test_slow_client_is_dropped_with_1013_and_delays_nobody(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", silent, max_queue=300_000)
    slow = Raw(served)
    slow_session = served.session()
    quick = served.websocket("/ws", max_size=None, max_queue=None)
    quick_session = served.session()
    message = "x" * 50_000
    sent = 0
    while slow_session.connection.send(message):
        assert quick_session.connection.send(message)
        assert quick.recv(20) == message
        sent += 1
        assert sent < 2000
    assert slow_session.connection.closed
    assert not slow_session.connection.pending, "what it will never read is still kept"
    wait_for(lambda: slow_session.returned == 1, "return of the lease")
    assert slow_session.ended == [(1013, "too slow")]
    assert slow.closing() == 1013  # what was under way comes whole, then the reason
    assert quick_session.connection.send("on it goes")
    assert quick.recv(20) == "on it goes"


def test_message_larger_than_the_queue_does_not_fit(serve):
    served = serve()
    served.sockets.add("/ws", silent, max_queue=1000)
    client = served.websocket("/ws")
    assert served.session().connection.send("x" * 1001) is False
    assert closing(client)[0] == 1013


def test_client_that_reads_no_pongs_fills_no_memory(served, wait_for):
    raw = Raw(served)
    session = served.session()
    ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    raw.client.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 100:
            raw.client.send(ping)
            sent += 1
    except TimeoutError:
        pass
    assert sent < 100, "the server took 13 MB of pings whose pongs nobody reads"
    assert session.connection.unsent < 300_000


def test_plugin_that_does_not_keep_up_stops_the_reading(serve, wait_for):
    go = threading.Event()
    got = []

    def handler(connection: Any) -> None:
        def on_message(message: bytes) -> None:
            assert go.wait(60)
            got.append(len(message))

        connection.on_message(on_message)

    served = serve()
    served.sockets.add("/ws", handler)
    raw = Raw(served)
    session = served.session()
    raw.client.socket.settimeout(0.5)
    frame = Frame(Opcode.BINARY, b"x" * 10_000).serialize(mask=True)
    left = frame * 3000
    try:
        while left:
            left = left[raw.client.socket.send(left) :]
    except TimeoutError:
        pass
    assert left, "the server took 30 MB that nobody asked for"
    assert len(session.connection._inbox) <= 40
    go.set()
    raw.client.socket.settimeout(20)
    raw.client.send(left)
    wait_for(lambda: len(got) == 3000, "messages")


def test_tiny_messages_do_not_pile_up(serve, wait_for):
    go = threading.Event()
    got = []

    def handler(connection: Any) -> None:
        connection.on_message(lambda message: go.wait(60) and got.append(message))

    served = serve()
    served.sockets.add("/ws", handler)
    raw = Raw(served)
    session = served.session()
    raw.client.send(Frame(Opcode.BINARY, b"x").serialize(mask=True) * 20_000)
    wait_for(lambda: len(session.connection._inbox) >= 32, "messages")
    assert len(session.connection._inbox) < 1000
    go.set()
    wait_for(lambda: len(got) == 20_000, "messages")


def test_two_missed_pongs_end_the_connection(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo, ping_interval=0.05)
    raw = Raw(served)
    session = served.session()
    assert [raw.frame()[0], raw.frame()[0]] == [Opcode.PING, Opcode.PING]
    assert raw.closing() == 1011
    wait_for(lambda: session.ended == [(1011, "no pong")], "end")


def test_client_that_answers_pings_stays(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo, ping_interval=0.02)
    raw = Raw(served)
    for _ in range(10):
        opcode, data = raw.frame()
        assert opcode == Opcode.PING
        raw.send(Opcode.PONG, data)
    raw.send(Opcode.TEXT, b"here")
    assert raw.frame() in [(Opcode.TEXT, b"here"), (Opcode.PING, b"\0\0\0\x0b")]


def test_slow_plugin_is_not_taken_for_a_dead_client(serve, wait_for):
    go = threading.Event()

    def handler(connection: Any) -> None:
        connection.on_message(lambda message: go.wait(60) and connection.send(message))

    served = serve()
    served.sockets.add("/ws", handler, ping_interval=0.05)
    client = served.websocket("/ws")  # answers pings in a thread of its own
    for _ in range(200):
        client.send(b"x" * 5000)
    link = next(iter(served.server.hub._links.values()))
    wait_for(lambda: link._ping_number > 5, "pings")
    go.set()
    assert [len(client.recv(20)) for _ in range(200)] == [5000] * 200


def test_broadcast_reaches_all_in_one_order(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", silent)
    clients = [served.websocket("/ws") for _ in range(5)]
    wait_for(lambda: sum(1 for s in served.sockets.sessions if s.connection) == 5, "sessions")
    lock = threading.Lock()

    def broadcast(name: str) -> None:
        for number in range(200):
            message = f"{name}{number}"
            with lock:
                for session in served.sockets.sessions:
                    assert session.connection.send(message)

    threads = [threading.Thread(target=broadcast, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = [[client.recv(20) for _ in range(600)] for client in clients]
    assert all(one == heard[0] for one in heard)
    for name in "abc":
        assert [m for m in heard[0] if m[0] == name] == [f"{name}{n}" for n in range(200)]


def test_hanging_route_leaves_threads_to_the_others(serve, wait_for):
    go = threading.Event()
    inside = []

    def hang(connection: Any) -> None:
        inside.append(1)
        assert go.wait(60)

    served = serve()
    served.sockets.add("/hang", hang)
    served.sockets.add("/ws", echo)
    for _ in range(20):
        served.websocket("/hang")
    wait_for(lambda: inside, "hanging handler")
    client = served.websocket("/ws")
    client.send("alive")
    assert client.recv(20) == "alive"
    go.set()
    wait_for(lambda: len(inside) == 20, "all handlers")


def test_connections_of_a_plugin_that_is_gone_are_closed(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo)
    stays, goes = served.websocket("/ws"), served.websocket("/ws")
    wait_for(lambda: all(s.connection for s in served.sockets.sessions[:2]), "sessions")
    gone = served.sockets.sessions[1]
    gone.switched_off = True
    assert served.server.hub.close_gone() == 1
    assert closing(goes) == (1001, "the plugin was switched off")
    wait_for(lambda: gone.returned == 1, "return of the lease")
    assert served.server.hub.close_gone() == 0
    stays.send("here")
    assert stays.recv(20) == "here"


def test_plugin_that_goes_between_judgement_and_opening(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo)

    def switch_off(session: Any) -> Any:
        session.switched_off = True
        return session

    served.sockets.open_with = switch_off
    client = served.websocket("/ws")
    assert closing(client)[0] == 1001
    session = served.sockets.sessions[0]
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert session.connection is None


def test_stop_closes_with_1001(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo)
    client = served.websocket("/ws")
    session = served.session()
    assert served.server.stop(20)
    assert closing(client)[0] == 1001
    assert (session.returned, [code for code, _ in session.ended]) == (1, [1001])
    assert session.connection.send("late") is False
    session.connection.close()
    session.connection.on_close(print)


def test_stop_does_not_wait_for_a_client_that_is_deaf(serve):
    served = serve()
    served.sockets.add("/ws", silent)
    Raw(served)
    session = served.session()
    while session.connection.unsent == 0:
        assert session.connection.send("x" * 5000)
        time.sleep(0.001)  # so that the queue is not what fills first
    assert served.server.stop(6)  # less than the client would get for its part of the close
    assert session.returned == 1


def test_stop_gives_up_on_a_callback_that_hangs(serve):
    go = threading.Event()
    served = serve()
    served.sockets.add("/ws", lambda connection: go.wait(60))
    served.websocket("/ws")
    served.session()
    assert served.server.stop(0.3) is False
    go.set()


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(st.binary(max_size=40), FRAMES), max_size=12))
def test_no_bytes_bring_the_hub_down(served, parts):
    raw = Raw(served)
    session = served.sockets.sessions[-1]
    raw.client.send(*parts)
    raw.client.socket.shutdown(socket.SHUT_WR)
    try:
        raw.client.rest()
    except ConnectionResetError:
        pass
    raw.client.close()
    deadline = time.monotonic() + 20
    while not session.returned and time.monotonic() < deadline:
        time.sleep(0.001)
    assert session.returned == 1
    assert len(session.ended) == 1


def test_a_thousand_sockets_need_no_threads(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo, ping_interval=0)
    threads = threading.active_count()
    raws = [Raw(served) for _ in range(1000)]
    assert served.server.hub.connections == 1000
    assert threading.active_count() <= threads + 8
    for number, raw in enumerate(raws):
        raw.send(Opcode.TEXT, b"%d" % number)
    for number, raw in enumerate(raws):
        assert raw.frame() == (Opcode.TEXT, b"%d" % number)
    assert served.get("/fine").body == b"/fine"
    assert served.server.stop(20)
    assert served.server.hub.connections == 0
    assert [session.returned for session in served.sockets.sessions] == [1] * 1000
