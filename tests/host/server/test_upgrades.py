"""Opening handshakes on the port of the HTTP server."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from host.web.handshake import Refusal

KEY = base64.b64encode(b"0123456789abcdef").decode()
UPGRADE = (
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)


def without(*names: str) -> list[str]:
    return [line for line in UPGRADE if line.partition(":")[0] not in names]


def echo(connection: Any) -> None:
    connection.on_message(connection.send)


@pytest.fixture
def served(serve):
    served = serve()
    served.sockets.add("/ws", echo)
    return served


def test_handshake_by_hand(served):
    client = served.client()
    reply = client.get("/ws?a=1&b=%20", *UPGRADE, "Origin: http://here", "X-Twice: a", "X-Twice: b")
    assert reply.status == 101
    assert reply.headers["Upgrade"] == "websocket"
    # RFC 6455, 4.2.2: of this key with the GUID
    assert reply.headers["Sec-WebSocket-Accept"] == "BACScCJPNqyz+UBoqMH89VmURoA="
    assert "Sec-WebSocket-Extensions" not in reply.headers
    handshake = served.session().handshake
    assert (handshake.method, handshake.path, handshake.query) == ("GET", "/ws", "a=1&b=%20")
    assert handshake.headers["origin"] == "http://here"
    assert handshake.headers["x-twice"] == "a, b"
    assert (handshake.peer, handshake.scheme) == ("127.0.0.1", "http")


def test_no_extension_or_subprotocol_is_negotiated(served):
    with served.websocket("/ws", compression="deflate", subprotocols=["chat"]) as client:
        assert client.subprotocol is None
        assert client.protocol.extensions == []
        client.send("x")
        assert client.recv(20) == "x"


@pytest.mark.parametrize(
    "headers",
    [[], without("Upgrade"), without("Connection"), ["Connection: Upgrade", "Upgrade: h2c"]],
    ids=["plain", "no upgrade", "no connection", "another protocol"],
)
def test_plain_request_is_told_to_upgrade(served, headers):
    client = served.client()
    reply = client.get("/ws", *headers)
    assert reply.status == 426
    assert reply.headers["Upgrade"] == "websocket"
    assert reply.headers["Connection"] == "Upgrade, close"
    assert reply.json["error"] == "UPGRADE_REQUIRED"
    assert reply.json["path"] == "/ws"
    assert client.ended()
    assert served.sockets.sessions == []


def test_http_1_0_cannot_upgrade(served):
    client = served.client()
    client.send("\r\n".join(["GET /ws HTTP/1.0", *UPGRADE, "", ""]))
    assert client.reply().status == 426


@pytest.mark.parametrize("version", [["Sec-WebSocket-Version: 8"], []], ids=["old", "none"])
def test_other_version_is_told_ours(served, version):
    reply = served.client().get("/ws", *without("Sec-WebSocket-Version"), *version)
    assert reply.status == 426
    assert reply.headers["Sec-WebSocket-Version"] == "13"
    assert reply.json["error"] == "UPGRADE_REQUIRED"


@pytest.mark.parametrize(
    "key",
    [
        [],
        ["Sec-WebSocket-Key: short"],
        ["Sec-WebSocket-Key: ***"],
        [f"Sec-WebSocket-Key: {KEY}"] * 2,
    ],
    ids=["none", "short", "no base64", "two"],
)
def test_handshake_without_a_usable_key(served, key):
    reply = served.client().get("/ws", *without("Sec-WebSocket-Key"), *key)
    assert reply.status == 400
    assert reply.json["error"] == "INVALID_REQUEST"
    assert served.sockets.sessions == []


@pytest.mark.parametrize(
    "extra", [["A: " + "x" * 9000], [f"A{n}: b" for n in range(200)]], ids=["long", "many"]
)
def test_handshake_with_unreasonable_headers(served, extra):
    reply = served.client().get("/ws", *UPGRADE, *extra)
    assert reply.status == 400


def test_handshake_with_a_body(served):
    client = served.client()
    assert client.get("/ws", *UPGRADE, "Content-Length: 3").status == 400


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
def test_other_methods_go_to_the_application(served, method):
    reply = served.client().get("/ws", *UPGRADE, method=method)
    assert (reply.status, reply.headers["Content-Length"]) == (200, "3")


@pytest.mark.parametrize("path", ["/ws/", "/wsx", "/", "/w"])
def test_other_paths_go_to_the_application(served, path):
    assert served.client().get(path, *UPGRADE).body == path.encode()


@pytest.mark.parametrize("target", ["http://host.example/ws?x=1", "//ws", "/%77s"])
def test_other_spellings_of_the_target(served, target):
    client = served.client()
    assert client.get(target, *UPGRADE).status == 101
    handshake = served.session().handshake
    assert handshake.path == "/ws"
    absolute = target.startswith("http:")  # its authority is the host (RFC 9112, 3.2.2)
    assert handshake.headers["host"] == ("host.example" if absolute else "test")


def test_http_1_0_is_known_by_the_request_line_alone(served):
    assert served.client().get("/ws", *UPGRADE, "X-Was: GET / HTTP/1.0").status == 101


def test_refusal_is_plain_http(served):
    served.sockets.open_with = lambda session: Refusal(
        401, [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")], b"who are you?"
    )
    client = served.client()
    reply = client.get("/ws", *UPGRADE)
    assert (reply.status, reply.body) == (401, b"who are you?")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert reply.headers["Connection"] == "close"
    assert client.ended()


def test_failure_while_judging_is_a_500(served):
    def fail(session: Any) -> Any:
        raise SystemExit

    served.sockets.open_with = fail
    reply = served.client().get("/ws", *UPGRADE)
    assert (reply.status, reply.json["error"]) == (500, "INTERNAL_ERROR")
    assert served.get("/fine").status == 200


def test_frames_that_came_with_the_handshake_are_not_lost(served):
    client = served.client()
    first = Frame(Opcode.TEXT, b"early").serialize(mask=True)
    head = "\r\n".join(["GET /ws HTTP/1.1", "Host: t", *UPGRADE, "", ""]).encode()
    client.send(head + first[:4])
    assert client.reply().status == 101
    client.send(first[4:])
    assert client._file.read(7) == b"\x81\x05early"


def test_frames_that_come_during_the_judgement_are_not_lost(served):
    judging, go = threading.Event(), threading.Event()

    def judge(session: Any) -> Any:
        judging.set()
        assert go.wait(20)
        return session

    served.sockets.open_with = judge
    client = served.client()
    client.send("\r\n".join(["GET /ws HTTP/1.1", "Host: t", *UPGRADE, "", ""]))
    assert judging.wait(20)
    client.send(Frame(Opcode.TEXT, b"early").serialize(mask=True))
    for _ in range(3):  # the I/O thread has had its chance to read them
        assert served.get("/fine").status == 200
    go.set()
    assert client.reply().status == 101
    assert client._file.read(7) == b"\x81\x05early"


def test_handshake_behind_other_requests_of_the_connection(served):
    client = served.client()
    assert client.get("/one").body == b"/one"
    head = "\r\n".join(["GET /ws HTTP/1.1", "Host: t", *UPGRADE, "", ""])
    client.send("GET /two HTTP/1.1\r\nHost: t\r\n\r\n", head)
    assert client.reply().body == b"/two"
    assert client.reply().status == 101


def test_more_than_max_connections_are_refused(serve, wait_for):
    served = serve()
    served.sockets.add("/few", echo, max_connections=2)
    served.sockets.add("/others", echo)
    one, two = served.websocket("/few"), served.websocket("/few")
    reply = served.client().get("/few", *UPGRADE)
    assert (reply.status, reply.json["error"]) == (503, "UNAVAILABLE")
    assert int(reply.headers["Retry-After"]) > 0
    assert served.sockets.sessions[-1].returned == 1
    served.websocket("/others").close()
    one.close()
    wait_for(lambda: served.server.hub.connections == 1, "room")
    served.websocket("/few").send("fits")
    two.send("still")
    assert two.recv(20) == "still"


def test_client_that_left_during_the_judgement_costs_nothing(serve, wait_for):
    served = serve()
    served.sockets.add("/ws", echo)
    client = served.client()

    def leave(session: Any) -> Any:
        client.close()
        return session

    served.sockets.open_with = leave
    client.send("\r\n".join(["GET /ws HTTP/1.1", *UPGRADE, "", ""]))
    session = wait_for(lambda: next(iter(served.sockets.sessions), None), "session")
    wait_for(lambda: session.returned == 1, "return of the lease")
    wait_for(lambda: served.server.hub.connections == 0, "end of the connection")
