"""A real server, and a client that may talk to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from host.outbound import OutboundClient, pool


@dataclass(frozen=True)
class Seen:
    command: str
    path: str
    headers: Message
    body: bytes
    client_address: tuple[str, int]


class Handler(BaseHTTPRequestHandler):
    """A real server; ``server.answer`` says what it does."""

    protocol_version = "HTTP/1.1"
    timeout = 120

    def _handle(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(length)
        seen = Seen(self.command, self.path, self.headers, body, self.client_address)
        self.server.seen.append(seen)  # type: ignore[attr-defined]
        try:
            self.server.answer(self)  # type: ignore[attr-defined]
        except OSError:
            self.close_connection = True  # the client has left

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _handle

    def reply(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128  # tests connect with dozens of threads at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.answer: Callable[[Handler], None] = lambda handler: handler.reply(b"hello")
        self.stop = threading.Event()
        self._open: list[socket.socket] = []

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get_request(self) -> Any:
        connection, address = super().get_request()
        self._open.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        return

    def end(self) -> None:
        self.stop.set()
        self.shutdown()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.server_close()


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join(60)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time for what is to succeed."""
    monkeypatch.setitem(OutboundClient.request.__kwdefaults__, "timeout", 60.0)
    monkeypatch.setattr(pool, "_KEPT_SECONDS", 300.0)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


@pytest.fixture
def client() -> Iterator[OutboundClient]:
    found = OutboundClient(allow_private=True)
    yield found
    found.close()


@pytest.fixture
def new_server() -> Callable[[], AbstractContextManager[Server]]:
    """Makes a further server."""
    return running
