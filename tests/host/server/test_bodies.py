"""Bodies on their way out: who sends them, how much waits, and who closes them."""

from __future__ import annotations

import io
import os
import socket
import threading
from typing import Any

import pytest

from host.web.streams import FileSlice, PlainFile

MIB = 1024 * 1024


class Endless:
    """A seekable file of zeros, which no reader sees the end of, that counts what is read of it."""

    def __init__(self, size: int = 1 << 50) -> None:
        self.size = size
        self.position = 0
        self.read_bytes = 0
        self.closed = 0
        self.threads: set[str] = set()

    def read(self, count: int = -1) -> bytes:
        assert 0 <= count <= MIB
        self.threads.add(threading.current_thread().name)
        count = min(count, self.size - self.position)
        self.position += count
        self.read_bytes += count
        return bytes(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + {0: 0, 1: self.position, 2: self.size}[whence]
        return self.position

    def tell(self) -> int:
        return self.position

    def close(self) -> None:
        self.closed += 1


class Chunks:
    """An iterable body that notes its end."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Any:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


def answering(body: Any, *headers: tuple[str, str]) -> Any:
    """An application that answers everything below /body with that body, once."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/body":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        start_response("200 OK", list(headers))
        return environ["wsgi.file_wrapper"](body) if hasattr(body, "read") else body

    return app


def test_file_is_sent_whole_and_closed(serve, tmp_path, wait_for):
    content = os.urandom(3_000_001)
    (tmp_path / "file").write_bytes(content)
    file = (tmp_path / "file").open("rb")
    file.seek(1)
    client = serve(answering(file)).client()
    reply = client.get("/body")
    assert reply.body == content[1:]
    assert reply.headers["Content-Length"] == "3000000"
    wait_for(lambda: file.closed, "close of the file")
    assert client.get("/next").body == b"ok"


def test_part_of_a_file_is_sent(serve):
    file = io.BytesIO(b"0123456789")
    file.seek(2)
    client = serve(answering(file, ("Content-Length", "3"))).client()
    assert client.get("/body").body == b"234"
    assert client.get("/next").body == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_empty_file(serve, wait_for, method):
    file = io.BytesIO()
    client = serve(answering(file)).client()
    assert client.get("/body", method=method).headers["Content-Length"] == "0"
    assert client.get("/next").body == b"ok"
    wait_for(lambda: file.closed, "close of the file")


def test_head_of_a_file_tells_its_length_and_reads_nothing(serve, wait_for):
    file = Endless(12345)
    client = serve(answering(file)).client()
    assert client.get("/body", method="HEAD").headers["Content-Length"] == "12345"
    assert client.get("/next").body == b"ok"
    wait_for(lambda: file.closed == 1, "close of the file")
    assert file.read_bytes == 0


def test_file_that_cannot_be_sought_is_streamed(serve, wait_for):
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe")
    os.close(writing)
    file = os.fdopen(reading, "rb")
    client = serve(answering(file)).client()
    assert client.get("/body").body == b"from a pipe"
    assert client.get("/next").body == b"ok"
    wait_for(lambda: file.closed, "close of the file")


def test_client_that_leaves_amid_a_file_frees_it(serve, wait_for):
    file = Endless()
    served = serve(answering(file), threads=1)
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    assert client.socket.recv(1000)
    assert file.closed == 0
    client.close()
    wait_for(lambda: file.closed, "close of the file")
    assert file.closed == 1
    assert file.read_bytes < 64 * MIB


def test_stalled_readers_hold_neither_threads_nor_memory(serve, wait_for):
    files = [Endless() for _ in range(8)]
    left = list(files)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/quick":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](left.pop())

    served = serve(app, threads=1)
    clients = [served.client() for _ in files]
    for client in clients:
        client.send("GET /body HTTP/1.1\r\n\r\n")
        assert client.socket.recv(1000)
    assert served.get("/quick").body == b"ok"
    # what the kernel's buffers took, and one chunk each
    assert max(file.read_bytes for file in files) < 16 * MIB
    got = 0
    while got < 4 * MIB:  # more than a worker sends before it goes
        got += len(clients[0].socket.recv(MIB))
    assert any("stagebox-io" in file.threads for file in files)


class Lease:
    """Counts how often it was given back."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


def part_of(path: Any, start: int, length: int, lease: Any) -> FileSlice:
    """As the web layer hands over a range of a file."""
    file = PlainFile(os.open(path, os.O_RDONLY))
    file.seek(start)
    return FileSlice(file, length, lease)  # type: ignore[arg-type]


def test_range_of_a_plain_file_is_sent_from_its_place(serve, tmp_path, wait_for):
    content = os.urandom(8 * MIB + 123)
    (tmp_path / "file").write_bytes(content)
    lease = Lease()
    part = part_of(tmp_path / "file", 77, 7 * MIB + 1, lease)
    client = serve(answering(part)).client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.send("GET /body HTTP/1.1\r\n\r\n")
    assert client.reply().body == content[77 : 77 + 7 * MIB + 1]
    wait_for(lambda: lease.released == 1, "the end of the lease")
    assert client.get("/next").body == b"ok"


def test_plain_file_that_shrank_ends_the_connection(serve, tmp_path, wait_for):
    (tmp_path / "file").write_bytes(bytes(2 * MIB))
    lease = Lease()
    part = part_of(tmp_path / "file", 0, 4 * MIB, lease)
    served = serve(answering(part))
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    rest = client.rest()
    assert rest.partition(b"\r\n\r\n")[2] == bytes(2 * MIB)
    wait_for(lambda: lease.released == 1, "the end of the lease")
    assert served.get("/next").body == b"ok"


def test_fast_reader_of_a_large_file_starves_nobody(serve):
    served = serve(answering(Endless()), threads=2)
    reader = served.client()
    reader.send("GET /body HTTP/1.1\r\n\r\n")
    stop = threading.Event()

    def read_on() -> None:
        while not stop.is_set():
            reader.socket.recv(4 * MIB)

    thread = threading.Thread(target=read_on)
    thread.start()
    try:
        assert [served.get("/quick").body for _ in range(5)] == [b"ok"] * 5
    finally:
        stop.set()
        thread.join()


def test_file_that_shrinks_ends_the_connection(serve, wait_for):
    class Shrinking(Endless):
        def read(self, count: int = -1) -> bytes:
            return super().read(count) if self.read_bytes < MIB else b""

    file = Shrinking()
    served = serve(answering(file))
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    assert len(client.rest()) < 2 * MIB
    wait_for(lambda: file.closed == 1, "close of the file")
    assert served.get("/next").body == b"ok"


def test_file_that_cannot_be_read_ends_the_connection(serve, wait_for):
    class Broken(Endless):
        def read(self, count: int = -1) -> bytes:
            raise OSError("the disk is gone")

    file = Broken()
    served = serve(answering(file))
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    client.rest()
    wait_for(lambda: file.closed == 1, "close of the file")
    assert served.get("/next").body == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_stream_is_closed_once(serve, wait_for, method):
    body = Chunks([b"a", b"", b"b"])
    client = serve(answering(body)).client()
    assert client.get("/body", method=method).body == (b"ab" if method == "GET" else b"")
    assert client.get("/next").body == b"ok"
    wait_for(lambda: body.closed == 1, "close of the body")


def test_stream_that_fails_is_closed(serve, wait_for):
    def chunks() -> Any:
        yield b"a"
        raise SystemExit

    body = Chunks(chunks())
    served = serve(answering(body))
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    assert not client.rest().endswith(b"0\r\n\r\n")
    wait_for(lambda: body.closed == 1, "close of the body")
    assert served.get("/next").body == b"ok"


def test_body_is_closed_when_start_response_was_never_called(serve, wait_for):
    body = Chunks([b"a"])
    served = serve(lambda environ, start_response: body)
    assert served.get("/").status == 500
    wait_for(lambda: body.closed == 1, "close of the body")


def test_client_that_leaves_ends_a_stream(serve, wait_for):
    made = []

    def chunks() -> Any:
        while True:
            made.append(1)
            yield b"x" * 10_000

    body = Chunks(chunks())
    served = serve(answering(body), threads=1)
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    assert client.socket.recv(1000)
    wait_for(lambda: len(made) > 20, "stream")
    client.close()
    wait_for(lambda: body.closed == 1, "close of the body")
    assert served.get("/next").body == b"ok"


def test_little_of_a_stream_waits_for_a_slow_client(serve, wait_for):
    made = []

    def chunks() -> Any:
        for _ in range(2000):
            made.append(1)
            yield b"x" * 10_000

    served = serve(answering(Chunks(chunks())), threads=1)
    client = served.client()
    client.send("GET /body HTTP/1.1\r\n\r\n")
    before = wait_for(lambda: len(made) if len(made) > 100 else 0, "stream")
    while before != (before := len(wait_for(lambda: made))):
        threading.Event().wait(0.2)
    assert len(made) * 10_000 < 16 * MIB  # the kernel's buffers and 1 MiB
    assert len(client.reply().body) == 20_000_000


def test_client_that_left_before_its_turn_costs_nothing(serve, wait_for):
    go = threading.Event()
    calls = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        calls.append(environ["PATH_INFO"])
        assert go.wait(20)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    served = serve(app, threads=1)
    first, second = served.client(), served.client()
    first.send("GET /first HTTP/1.1\r\n\r\n")
    wait_for(lambda: calls, "first request")
    second.send("POST /second HTTP/1.1\r\nContent-Length: 900\r\n\r\n", "x" * 100)
    second.close()
    go.set()
    assert first.reply().body == b"ok"
    assert served.get("/third").body == b"ok"
    assert "/second" not in calls
