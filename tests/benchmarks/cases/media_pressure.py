"""Part of the case media: streams of a large file, slow readers, a socket that nobody reads, a
picture server that never answers (media contract, 13.5, 13.7 to 13.9)."""

from __future__ import annotations

import base64
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from builtin_plugins.media.swatches import colours
from tests.benchmarks.bench import Bench
from tests.benchmarks.cases.media_growth import Asker
from tests.benchmarks.media_shelf import MediaShelf
from tests.benchmarks.processes import MemoryWatch, cpu_seconds
from tests.benchmarks.results import Aim, Figure, Row

__all__ = ["measure_colours", "measure_movies_during_a_scan", "measure_stall", "measure_streams"]

_SIZE = 3 * 1024**3
_STREAMS = 8
_SLOW = 16


def measure_streams(bench: Bench, media: Any, pid: int) -> None:
    """``media`` scans and asks."""
    root = bench.folder / "sparse"
    root.mkdir()
    with (root / "Sparse (2001).mkv").open("wb") as target:
        target.truncate(_SIZE)
    media.scan(root)
    path = media.ask("/search?query=sparse")["movies"][0]["streamUrl"]
    address = (urlsplit(media.url).hostname, urlsplit(media.url).port)
    taken: dict[int, list[float]] = {0: [], _SIZE - 65536: []}
    for _ in range(bench.count(100, 20)):
        for start, found in taken.items():
            found.append(_range(address, path, start))
    begin, end = (statistics.median(found) for found in taken.values())
    figures = Figure("at the end", end, "ms"), Figure("at the beginning", begin, "ms")
    bench.block.rows.append(Row("64 KiB of 3 GiB, sparse", *figures, Aim("ratio", "<=", 1.5)))
    with MemoryWatch(pid) as memory, ExitStack() as stack:
        for _ in range(_STREAMS):
            reader = stack.enter_context(_reader(address, path))
            for _ in range(64):
                reader.recv(65536)
    growth = Figure(f"{_STREAMS} streams open", memory.growth, "MB")
    bench.block.rows.append(Row("memory while 3 GiB are read", growth, None, _GROWTH))
    _slow_readers(bench, media.url, address, path)


_GROWTH = Aim("ours", "<=", 32, "MB")


def _slow_readers(bench: Bench, url: str, address: Any, path: str) -> None:
    asker = Asker(url)
    idle = _median(bench, asker, "/health")
    with ExitStack() as stack:
        for _ in range(_SLOW):
            stack.enter_context(_reader(address, path)).recv(1)
        busy = _median(bench, asker, "/health")
    asker.close()
    ours, peer = Figure(f"{_SLOW} slow readers", busy, "ms"), Figure("idle", idle, "ms")
    bench.block.rows.append(Row("GET /health", ours, peer, Aim("ratio", "<=", 5)))


def measure_movies_during_a_scan(bench: Bench, media: Any, root: Path) -> None:
    asker = Asker(media.url)
    idle = _median(bench, asker, "/api/v1/movies")
    job = media.ask("/scan/path", {"path": str(root), "options": {"rescan": True}})["jobId"]
    taken: list[float] = []
    while media.ask(f"/scan/job/{job}")["status"] != "COMPLETED":
        taken.extend(asker.milliseconds("/api/v1/movies") for _ in range(10))
    asker.close()
    ours = Figure("during a scan", statistics.median(taken), "ms", f"{len(taken)} requests")
    peer = Figure("idle", idle, "ms")
    bench.block.rows.append(Row("GET /movies", ours, peer, Aim("ratio", "<=", 4)))


def measure_stall(bench: Bench, media: Any, root: Path, pid: int) -> None:
    """A client that never reads, against one that does."""
    with _listening(media.url, reads=True):
        media.scan(root, rescan=True)
    taken: dict[bool, list[float]] = {True: [], False: []}
    cost = {True: 0.0, False: 0.0}
    for _ in range(bench.count(9, 2)):
        for reads, found in taken.items():
            before = cpu_seconds(pid)
            with _listening(media.url, reads=reads):
                found.append(media.scan(root, rescan=True))
            cost[reads] += cpu_seconds(pid) - before
    ours, peer = (
        Figure(label, statistics.median(taken[reads]), "s", cost=cost[reads])
        for label, reads in (("a stalled client", False), ("one that reads", True))
    )
    bench.block.rows.append(Row("scan with /ws", ours, peer, Aim("ratio", "<=", 1.1)))


def measure_colours(bench: Bench, media: Any, shelf: MediaShelf) -> None:
    picture = Image.open(BytesIO(_noise()))
    taken: list[float] = []
    for _ in range(bench.count(10, 3)):
        began = time.process_time()
        colours(picture)
        taken.append(time.process_time() - began)
    figure = Figure("of one core", statistics.median(taken), "s")
    bench.block.rows.append(Row("colours of 500 x 750", figure, None, Aim("ours", "<=", 0.25, "s")))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:  # takes, and never answers
        shelf.set_posters(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        asker = Asker(media.url)
        seconds = asker.milliseconds("/api/v1/movies") / 1000
        asker.close()
    figure = Figure("the picture server is silent", seconds, "s")
    aim = Aim("ours", "<=", 1.5, "s")
    bench.block.rows.append(Row("GET /movies without colours", figure, None, aim))


def _noise() -> bytes:
    """As many colours as there can be."""
    content = BytesIO()
    Image.frombytes("RGB", (500, 750), os.urandom(500 * 750 * 3)).save(content, "PNG")
    return content.getvalue()


def _median(bench: Bench, asker: Asker, path: str) -> float:
    return statistics.median(asker.milliseconds(path) for _ in range(bench.count(100, 20)))


def _range(address: Any, path: str, start: int) -> float:
    began = time.perf_counter()
    with socket.create_connection(address, timeout=30) as connection:
        header = f"Range: bytes={start}-{start + 65535}\r\nConnection: close\r\n"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode())
        while connection.recv(65536):
            pass
    return (time.perf_counter() - began) * 1000


@contextmanager
def _reader(address: Any, path: str) -> Iterator[socket.socket]:
    """The whole file is asked for; who reads is the caller."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield connection


@contextmanager
def _listening(url: str, *, reads: bool) -> Iterator[None]:
    address = (urlsplit(url).hostname, urlsplit(url).port)
    ended = Event()
    with socket.create_connection(address, timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        connection.recv(12)
        thread = Thread(target=_read, args=(connection, ended)) if reads else None
        if thread is not None:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            connection.shutdown(socket.SHUT_RDWR)
            if thread is not None:
                thread.join()


def _read(connection: socket.socket, ended: Event) -> None:
    receive: Callable[[int], bytes] = connection.recv
    while not ended.is_set() and receive(65536):
        pass
