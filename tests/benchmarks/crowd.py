"""Many WebSocket clients in one process: ``crowd HOST PORT PATH COUNT``, told what to do by lines.

``quiet`` reads whatever is on its way; ``expect BYTES`` answers ``ready`` and, once so many have
arrived on all sockets together, ``got BYTES``.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
import time

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PATIENCE_SECONDS = 60.0
_QUIET_SECONDS = 0.5


class Crowd:
    """Open sockets, and the bytes that arrive on them."""

    def __init__(self, host: str, port: int, path: str, count: int) -> None:
        handshake = _HANDSHAKE.format(path=path, host=host, port=port).encode()
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        for _ in range(count):
            connection = socket.create_connection((host, port), timeout=30)
            connection.sendall(handshake)
            self._sockets[connection.fileno()] = connection
        for connection in self._sockets.values():
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(4096)
                if not piece:
                    raise SystemExit("a connection was closed instead of opened")
                answer += piece
            if b" 101 " not in answer:
                raise SystemExit(f"a handshake was refused: {answer[:200]!r}")
            connection.setblocking(False)
            self._poll.register(connection, select.EPOLLIN)

    def quiet(self) -> int:
        """Reads until nothing has come for a while."""
        total = 0
        while events := self._poll.poll(_QUIET_SECONDS):
            total += self._read(events)
        return total

    def expect(self, count: int) -> int:
        total = 0
        end = time.monotonic() + _PATIENCE_SECONDS
        while total < count and time.monotonic() < end:
            total += self._read(self._poll.poll(1.0))
        return total

    def _read(self, events: list[tuple[int, int]]) -> int:
        total = 0
        for number, _ in events:
            data = self._sockets[number].recv(1 << 16)
            if not data:
                raise SystemExit("the server closed a connection")
            total += len(data)
        return total


def main(arguments: list[str]) -> None:
    host, port, path, count = arguments
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    began = time.perf_counter()
    crowd = Crowd(host, int(port), path, int(count))
    print(f"open {time.perf_counter() - began:.6f}", flush=True)
    for line in sys.stdin:
        word, _, number = line.partition(" ")
        if word == "expect":
            print("ready", flush=True)
            print(f"got {crowd.expect(int(number))}", flush=True)
        else:
            print(f"quiet {crowd.quiet()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
