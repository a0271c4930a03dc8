"""The load clients that run in a process of their own: ``press`` without wrk, and ``probe``."""

from __future__ import annotations

import json
import multiprocessing
import random
import select
import socket
import sys
import time
from multiprocessing.queues import Queue
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Asker", "main"]

_PIECE = 1 << 20


class Asker:
    """One connection that asks for one address, again and again."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._where = (parts.hostname or "", parts.port or 80)
        lines = [f"GET {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._head = "\r\n".join(lines).encode() + b"\r\n"
        self._socket: socket.socket | None = None
        self._room = bytearray(_PIECE)

    def ask(self, more: bytes = b"") -> tuple[int, int]:
        """Status and bytes received; status 0 when the connection broke."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._where, timeout=30)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(self._head + more + b"\r\n")
            return self._answer(self._socket)
        except (OSError, ValueError):
            self.close()
            return 0, 0

    def _answer(self, connection: socket.socket) -> tuple[int, int]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError
            received += piece
        head = received[:end].lower()
        status = int(head[9:12])
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        left = length - (len(received) - end - 4)
        while left > 0:
            count = connection.recv_into(self._room, min(left, _PIECE))
            if not count:
                raise ConnectionError
            left -= count
        if b"\r\nconnection: close" in head:
            self.close()
        return status, end + 4 + length

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _report(seconds: float, latencies: list[float], failed: int, size: int) -> str:
    latencies.sort()
    last = len(latencies) - 1

    def at(share: float) -> float:
        return latencies[min(last, int(share * len(latencies)))] * 1000 if latencies else 0.0

    return json.dumps(
        {
            "requests": len(latencies),
            "bytes": size,
            "seconds": seconds,
            "failed": failed,
            "p50": at(0.5),
            "p99": at(0.99),
            "max": at(1.0),
        }
    )


def _ask_for_long(
    url: str, seconds: float, options: dict[str, Any], seed: int, results: Queue[Any]
) -> None:
    asker = Asker(url, options["headers"])
    size, length = options["size"], options["length"]
    offsets = random.Random(seed)
    latencies: list[float] = []
    failed = total = 0
    end = time.perf_counter() + seconds
    more = b""
    while (began := time.perf_counter()) < end:
        if length:
            first = offsets.randint(0, size - length)
            more = b"Range: bytes=%d-%d\r\n" % (first, first + length - 1)
        status, count = asker.ask(more)
        latencies.append(time.perf_counter() - began)
        failed += not 200 <= status < 400
        total += count
    asker.close()
    results.put((latencies, failed, total))


def press(url: str, seconds: float, connections: int, options: dict[str, Any]) -> str:
    """One process for each connection."""
    context = multiprocessing.get_context("fork")
    results: Queue[Any] = context.Queue()
    workers = [
        context.Process(target=_ask_for_long, args=(url, seconds, options, seed, results))
        for seed in range(connections)
    ]
    for worker in workers:
        worker.start()
    latencies: list[float] = []
    failed = total = 0
    for _ in workers:
        more, broken, count = results.get(timeout=seconds + 60)
        latencies += more
        failed += broken
        total += count
    for worker in workers:
        worker.join()
    return _report(seconds, latencies, failed, total)


def probe(url: str, rate: int) -> str:
    """Until a line comes in. A request that was due while an earlier one was under way is sent
    as soon as that has ended, and its latency counts from when it was due."""
    asker = Asker(url)
    for _ in range(20):
        asker.ask()
    print("warm", flush=True)
    latencies: list[float] = []
    failed = size = 0
    began = time.perf_counter()
    due = began
    while not select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
        status, count = asker.ask()
        latencies.append(time.perf_counter() - due)
        failed += not 200 <= status < 400
        size += count
        due += 1 / rate
    asker.close()
    return _report(time.perf_counter() - began, latencies, failed, size)


def main(arguments: list[str]) -> None:
    kind, url, *rest = arguments
    if kind == "probe":
        print(probe(url, int(rest[0])), flush=True)
    else:
        print(press(url, float(rest[0]), int(rest[1]), json.loads(rest[2])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
