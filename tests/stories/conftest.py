"""A serving process of its own, spoken to over real sockets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from host.testing import TestHost, database_of


class Served:
    """`stagebox serve` in a process of its own."""

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        env: dict[str, str] | None = None,
        prepared: bool = False,
    ) -> None:
        self.data_dir = data_dir
        self.options = options
        database = {"STAGEBOX_DATABASE": database_of(data_dir, prepared=prepared)}
        self.env = {**os.environ, "STAGEBOX_DATA_DIR": str(data_dir), **database, **(env or {})}
        self.url = ""
        self.process: subprocess.Popen[str]
        self.client: httpx.Client

    def start(self) -> Served:
        log = (self.data_dir.parent / f"{self.data_dir.name}.err").open("a")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "host", "serve", "--listen", "127.0.0.1:0", *self.options],
                env=self.env,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+?:\d+", line)
        if found is None:
            self.process.wait(timeout=60)
            self.process.stdout.close()
            raise AssertionError(f"it did not start: {line!r} {self.errors()[-2000:]}")
        self.url = found.group()
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        return self

    def up(self, path: str) -> Served:
        """Once there is a route at a path: a host listens before a plugin that starts slowly."""
        deadline = time.monotonic() + 60
        while self.client.get(path).status_code == 404:
            assert time.monotonic() < deadline, self.errors()[-2000:]
            time.sleep(0.02)
        return self

    def errors(self) -> str:
        return (self.data_dir.parent / f"{self.data_dir.name}.err").read_text()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: nothing can be tidied up."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if hasattr(self, "client"):
            self.client.close()
        return status

    def command(
        self, *arguments: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Another `stagebox` command on the same data."""
        return subprocess.run(
            [sys.executable, "-m", "host", *arguments],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


@pytest.fixture
def server() -> str:
    """Which server `serve` starts; a test is parametrised with others by this name."""
    return "waitress"


@pytest.fixture(scope="session")
def served_in() -> Callable[..., Served]:
    """Makes one on a folder, for whoever sees to its start and its end."""

    def make(data_dir: Path, *options: str, **more: Any) -> Served:
        data_dir.mkdir(exist_ok=True)
        return Served(data_dir, *options, prepared=True, **more)

    return make


@pytest.fixture
def serve(
    tmp_path: Path, server: str, served_in: Callable[..., Served]
) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*options: str, data_dir: Path | None = None, **more: Any) -> Served:
        served = served_in(data_dir or tmp_path / "served", "--server", server, *options, **more)
        started.append(served)
        return served.start()

    yield start
    for served in started:
        if served.process.poll() is None:
            served.kill()


@pytest.fixture
def stopped(tmp_path: Path) -> Served:
    """Data of a host that never ran, for commands."""
    folder = tmp_path / "served"
    folder.mkdir()
    return Served(folder)


@pytest.fixture
def scan_media(wait_until: Callable[..., None]) -> Callable[..., dict[str, Any]]:
    """Lets a host scan a folder for media, waits for the end, and gives the scan job."""

    def scan(host: TestHost, folder: Path, kind: str) -> dict[str, Any]:
        body = {"path": str(folder), "mediaType": kind}
        job = host.post("/api/v1/scan/path", json=body).json()["data"]["jobId"]
        address = f"/api/v1/scan/job/{job}"
        wait_until(lambda: host.get(address).json()["data"]["status"] == "COMPLETED")
        return dict(host.get(address).json()["data"])

    return scan
