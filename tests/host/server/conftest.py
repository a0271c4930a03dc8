"""Real servers on free ports, and clients that speak plainly."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from host.server import Server
from host.server.channel import Channel
from host.web.handshake import Handshake, Refusal
from plugin_sdk import Connection, Request, WebSocketRoute
from tests.waiting import eventually

BODY_LIMIT = 1000
LOG = logging.getLogger("tests.server")


def wait_for(condition: Callable[[], Any], what: str = "condition", seconds: float = 60.0) -> Any:
    """Waits until the condition is true and returns what it gave; fails after ``seconds``."""
    return eventually(condition, seconds, what)


def render_error(
    status: int,
    code: str,
    message: str,
    path: str,
    extra: Mapping[str, str],
    head: Request | None = None,
) -> tuple[int, list[tuple[str, str]], bytes]:
    body = json.dumps({"error": code, "message": message, "path": path}).encode()
    return status, [("Content-Type", "application/json"), *extra.items()], body


class Session:
    """A WebSocketSession that notes what happens to it."""

    def __init__(self, route: WebSocketRoute, handshake: Handshake) -> None:
        self.limits = route
        self.handshake = handshake
        self.request = Request(path=handshake.path, peer=handshake.peer)
        self.connection: Connection | None = None
        self.ended: list[tuple[int, str]] = []
        self.returned = 0
        self.switched_off = False

    def opened(self, connection: Connection) -> None:
        self.connection = connection
        connection.on_close(lambda code, reason: self.ended.append((code, reason)))
        self.limits.handler(connection)

    def invoke(self, callback: Callable[..., object], *args: Any) -> None:
        callback(*args)

    def closed(self) -> None:
        self.returned += 1

    def gone(self) -> bool:
        return self.switched_off


class Sockets:
    """A WebSocketApplication over a table of routes."""

    def __init__(self) -> None:
        self.routes: dict[str, WebSocketRoute] = {}
        self.sessions: list[Session] = []
        self.open_with: Callable[[Session], Refusal | Session] = lambda session: session

    def add(self, path: str, handler: Callable[[Connection], object], **limits: Any) -> None:
        self.routes[path] = WebSocketRoute(path, handler, **limits)

    def find(self, path: str) -> WebSocketRoute | None:
        return self.routes.get(path)

    def open(self, handshake: Handshake) -> Refusal | Session:
        session = Session(self.routes[handshake.path], handshake)
        outcome = self.open_with(session)
        if isinstance(outcome, Session):
            self.sessions.append(session)
        return outcome


@dataclass
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One TCP connection on which requests are written out by hand."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=20)
        self._file = self.socket.makefile("rb")

    def send(self, *parts: str | bytes) -> None:
        for part in parts:
            self.socket.sendall(part if isinstance(part, bytes) else part.encode("latin-1"))

    def reply(self, method: str = "GET") -> Reply:
        """Reads exactly one answer."""
        line = self._file.readline()
        if not line:
            raise EOFError("the connection was closed instead of an answer")
        status = int(line.split()[1])
        headers = http.client.parse_headers(self._file)
        chunked = headers.get("Transfer-Encoding") == "chunked"
        if method == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif chunked:
            body = b"".join(iter(self._chunk, b""))
        elif "Content-Length" in headers:
            body = self._file.read(int(headers["Content-Length"]))
        else:
            body = self._file.read()
        return Reply(status, headers, body)

    def _chunk(self) -> bytes:
        size = int(self._file.readline(), 16)
        chunk = self._file.read(size)
        if self._file.readline() != b"\r\n":
            raise EOFError("the chunk was cut off")
        return chunk

    def get(self, path: str, *headers: str, method: str = "GET") -> Reply:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *headers, "", ""]
        self.send("\r\n".join(lines))
        return self.reply(method)

    def ended(self) -> bool:
        """Whether the server closed the connection without another byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def rest(self) -> bytes:
        return self._file.read()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class Served:
    """A running server."""

    server: Server
    sockets: Sockets
    clients: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.server.addresses[0].rpartition(":")
        return host.strip("[]"), int(port)

    def channels(self) -> list[Channel]:
        """The connections that there are. The I/O thread may be changing their table: it is copied
        in one step."""
        return [each for each in list(self.server._poller.values()) if isinstance(each, Channel)]

    def client(self) -> Client:
        return self.clients.enter_context(closing(Client(self.address)))

    def get(self, path: str, *headers: str, method: str = "GET") -> Reply:
        """One request on a connection of its own."""
        client = self.client()
        reply = client.get(path, "Connection: close", *headers, method=method)
        client.close()
        return reply

    def websocket(self, path: str, **options: Any) -> ClientConnection:
        host, port = self.address
        options.setdefault("compression", None)
        options.setdefault("ping_interval", None)
        options.setdefault("close_timeout", 1)
        return self.clients.enter_context(connect(f"ws://{host}:{port}{path}", **options))

    def session(self) -> Session:
        """The newest session, once its handler was called."""
        return wait_for(
            lambda: next((s for s in self.sockets.sessions[-1:] if s.connection), None), "session"
        )


def stuff(served: Served, connection: Any) -> int:
    """Sends until the socket takes no more and a message waits in the queue; says how many were
    sent. The loop thread gets its turn after each: it may be late, and the queue is not endless."""
    link = wait_for(lambda: served.server.hub._links.get(connection), "link")
    sent = 0
    while not (link._paused and connection.pending):
        assert connection.send("x" * 50_000)
        sent += 1
        wait_for(lambda: link._paused or not connection.pending, "turn of the loop")
    return sent


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["PATH_INFO"].encode("latin-1") + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Starts servers; at the end stops them and sees that they left nothing behind."""
    before = set(threading.enumerate())
    running: list[Served] = []

    def start(app: Any = hello, **options: Any) -> Served:
        sockets = options.pop("upgrades", None) or Sockets()
        server = Server(
            app,
            listen=options.pop("listen", ["127.0.0.1:0"]),
            threads=options.pop("threads", 2),
            body_limit=options.pop("body_limit", lambda method, path: BODY_LIMIT),
            render_error=options.pop("render_error", render_error),
            upgrades=sockets,
            log=LOG,
            **options,
        )
        server.start()
        served = Served(server, sockets)
        running.append(served)
        return served

    yield start
    for served in running:
        served.clients.close()
        served.server.stop(10)
    wait_for(lambda: set(threading.enumerate()) <= before, "end of all threads")


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[..., Any]:
    return wait_for


# WebSockets

UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec-WebSocket-Version: 13",
)


def echo(connection: Any) -> None:
    connection.on_message(connection.send)


def silent(connection: Any) -> None:
    pass


def closed_with(client: Any, seconds: float = 20) -> tuple[int, str]:
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
