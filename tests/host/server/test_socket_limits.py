"""Open WebSockets: slow and dead clients, slow plugins, many at once, and the server's stop."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from .conftest import Raw, closed_with, echo, silent, stuff

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


def test_slow_client_is_dropped_with_1013_and_delays_nobody(serve, wait_for):
    served = serve()
    served.server.hub._close_seconds = 60  # so long this client may take to read the reason
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
    assert closed_with(client)[0] == 1013


def test_client_that_reads_no_pongs_fills_no_memory(served, wait_for):
    raw = Raw(served)
    session = served.session()
    ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    raw.client.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 1000:
            raw.client.send(ping)
            sent += 1
    except TimeoutError:
        pass
    assert sent < 1000, "the server took 130 MB of pings whose pongs nobody reads"
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
    raw.client.socket.settimeout(60)
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


def ping(served: Any) -> None:
    """Has the only connection send the ping that is due."""
    (link,) = served.server.hub._links.values()
    served.server.hub._call(link._ping)


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
    served.sockets.add("/ws", echo, ping_interval=1000)
    raw = Raw(served)
    for _ in range(4):
        ping(served)  # not by the clock: a busy machine answers late as well
        opcode, data = raw.frame()
        assert opcode == Opcode.PING
        raw.send(Opcode.PONG, data)
        raw.send(Opcode.TEXT, b"here")
        assert raw.frame() == (Opcode.TEXT, b"here")  # so the pong was read


def test_slow_plugin_is_not_taken_for_a_dead_client(serve, wait_for):
    go = threading.Event()

    def handler(connection: Any) -> None:
        connection.on_message(lambda message: go.wait(60) and connection.send(message))

    served = serve()
    served.sockets.add("/ws", handler, ping_interval=1000)
    client = served.websocket("/ws")  # answers pings in a thread of its own
    for _ in range(200):
        client.send(b"x" * 5000)
    (link,) = served.server.hub._links.values()
    wait_for(lambda: not link._transport.is_reading(), "end of the reading")
    for _ in range(5):
        ping(served)
    wait_for(lambda: link._ping_number == 5, "pings")
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
    assert closed_with(goes) == (1001, "the plugin was switched off")
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
    assert closed_with(client)[0] == 1001
    session = served.sockets.sessions[0]
    wait_for(lambda: session.returned == 1, "return of the lease")
    assert session.connection is None


def test_stop_closes_with_1001(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo)
    client = served.websocket("/ws")
    session = served.session()
    assert served.server.stop(60)
    assert closed_with(client)[0] == 1001
    assert (session.returned, [code for code, _ in session.ended]) == (1, [1001])
    assert session.connection.send("late") is False
    session.connection.close()
    session.connection.on_close(print)


def test_stop_does_not_wait_for_a_client_that_is_deaf(serve):
    served = serve()
    served.server.hub._close_seconds = 200
    served.sockets.add("/ws", silent, max_queue=100_000_000)
    Raw(served)
    session = served.session()
    stuff(served, session.connection)
    assert served.server.stop(60)  # less than the client would get for its part of the close
    assert session.returned == 1


def test_stop_gives_up_on_a_callback_that_hangs(serve):
    go = threading.Event()
    served = serve()
    served.sockets.add("/ws", lambda connection: go.wait(60))
    served.websocket("/ws")
    served.session()
    assert served.server.stop(0.3) is False
    go.set()


@settings(max_examples=100)
@given(st.lists(st.one_of(st.binary(max_size=40), FRAMES), max_size=12))
def test_no_bytes_bring_the_hub_down(served, parts):
    raw = Raw(served)
    session = served.sockets.sessions[-1]
    try:
        raw.client.send(*parts)
        raw.client.socket.shutdown(socket.SHUT_WR)
        raw.client.rest()
    except TimeoutError:
        raise
    except OSError:  # the server may have closed the connection before all was said
        pass
    raw.client.close()
    deadline = time.monotonic() + 60
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
    assert served.server.stop(60)
    assert served.server.hub.connections == 0
    assert [session.returned for session in served.sockets.sessions] == [1] * 1000
