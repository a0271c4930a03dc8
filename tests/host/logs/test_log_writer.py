"""The thread that writes, and the queue before it."""

from __future__ import annotations

import io
import logging
import threading
from pathlib import Path

from host.logs import (
    HostLogs,
)
from host.logs.lines import Line
from host.logs.writer import LogWriter

from .conftest import written


class Stuck(io.StringIO):
    """A stream whose reader has gone to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go.wait(60)
        return super().write(text)


def test_what_waits_is_bounded_and_the_loss_is_told() -> None:
    stream = Stuck()
    writer = LogWriter(None, stream, logging.INFO, as_json=True)

    def put(level: int, count: int) -> None:
        for _ in range(count):
            writer.put(Line(0.0, level, "x", "m" * 10_000))

    writer.put(Line(0.0, logging.ERROR, "x", "the first"))
    assert stream.entered.wait(60)
    put(logging.INFO, 2000)  # 20 MB
    lost = writer.dropped
    assert 1000 < lost < 1500
    assert writer.flush(0.01) is False
    put(logging.WARNING, 100)  # there is still room for what matters
    assert writer.dropped == lost
    put(logging.WARNING, 2000)
    assert writer.dropped > lost
    stream.go.set()
    assert writer.flush(60)
    writer.close(60)
    lines = stream.getvalue().splitlines()
    assert f"{writer.dropped} log lines were dropped" in lines[-1]
    assert len(lines) == 1 + 2000 + 2100 - writer.dropped + 1


def test_many_threads_lose_no_line(file: Path) -> None:
    logs = HostLogs(file=file)

    def work(name: int) -> None:
        for number in range(200):
            logs.logger("x").info("%d %d", name, number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logs.close()
    lines = [line["message"] for line in written(file)]
    assert len(lines) == 800
    for name in range(4):
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own == [f"{name} {number}" for number in range(200)]


def test_close_writes_what_waits_and_ends_the_thread(file: Path) -> None:
    logs = HostLogs(file=file)
    before = set(threading.enumerate())
    logs.logger("x").info("last")
    (writer,) = (each for each in set(threading.enumerate()) - before if each.name == "log")
    logs.close()
    assert not writer.is_alive()
    logs.logger("x").info("too late")
    logs.close()
    assert [line["message"] for line in written(file)] == ["last"]


def test_a_silent_host_makes_no_file(file: Path) -> None:
    HostLogs(file=file).close()
    assert not file.parent.exists()
