"""Child processes: started, read, and ended by their own id, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = [
    "ROOT",
    "Child",
    "Memory",
    "MemoryWatch",
    "cpu_seconds",
    "free_port",
    "memory_of",
    "ready",
    "resident",
    "thread_count",
    "wait_until_ready",
]

ROOT = Path(__file__).resolve().parents[2]
"""Of the project: where ``host`` and ``tests`` are importable from."""

_URL = re.compile(r"http://[\w.:\[\]-]+:\d+")
_END_SECONDS = 20.0


def free_port() -> int:
    """A port that was free a moment ago, for peers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# What is measured shall have its code compiled, as an installed program has.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Child:
    """A process with its standard output as a pipe; its standard error goes to a file.

    A context manager: at its end the process is asked to end by SIGTERM and killed if it does
    not."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bool = False,
    ) -> None:
        # Closed by `end`.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=ROOT,
            env={**_ENVIRONMENT, "PYTHONPATH": str(ROOT), **(env or {})},
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    @classmethod
    def python(
        cls, *arguments: str | Path, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> Child:
        """With the interpreter that runs this."""
        return cls([sys.executable, *arguments], env=env, stdin=stdin)

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """The next line of its output. Raises RuntimeError when it ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(timeout=_END_SECONDS)
            raise RuntimeError(f"{self._name()} ended: {self.errors()[-2000:]}")
        return line.rstrip("\n")

    def url(self) -> str:
        """The first address that it prints."""
        while True:
            found = _URL.search(self.line())
            if found is not None:
                return found.group()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def end(self) -> int:
        """SIGTERM, then SIGKILL; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait(timeout=_END_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()
        return status

    def _name(self) -> str:
        arguments = self.process.args
        assert isinstance(arguments, list)
        return " ".join(arguments[:4])

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Memory:
    """Of a process, in MB of 10^6 bytes: ``rss`` counts shared pages whole, ``pss`` by share."""

    def __init__(self, rss: float, pss: float) -> None:
        self.rss = rss
        self.pss = pss


def memory_of(pid: int) -> Memory:
    """Linux only."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {
        name: int(kilobytes) * 1024 / 1e6
        for name, kilobytes in re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.MULTILINE)
    }
    return Memory(found["Rss"], found["Pss"])


def resident(pid: int) -> float:
    """RSS in MB; cheap enough to be asked a hundred times a second."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def thread_count(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def ready(url: str) -> bool:
    """Whether that address answers with 200 by now."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def wait_until_ready(url: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready(url):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{url} did not answer within {seconds:g} s")
        time.sleep(0.02)


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor so far: a measure that busy neighbours hardly
    change."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    times = fields.rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


class MemoryWatch:
    """Notes the largest resident memory of a process while the block runs, in MB."""

    def __init__(self, pid: int, *, interval: float = 0.02) -> None:
        self.before = self.peak = resident(pid)
        self._pid = pid
        self._interval = interval
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory watch")

    def _look(self) -> None:
        while not self._end.wait(self._interval):
            self.peak = max(self.peak, resident(self._pid))

    @property
    def growth(self) -> float:
        return self.peak - self.before

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
