"""Follows docs/guide/quickstart.md as a stranger would, word by word, and measures the time.

``python -m tests.docs.quickstart`` does so twice, each time in an empty folder with an empty home:
cold, with everything from the package index, then with the same packages as wheels at hand. It
fails when the first takes longer than 60 seconds, twice; all figures are printed.

Departed from is one thing only: the port, where it is taken.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT, Block, blocks_of
from tests.ports import free_ports

__all__ = ["COLD_SECONDS", "Stranger", "Walk", "follow"]

PAGE: Final = "docs/guide/quickstart.md"
COLD_SECONDS: Final = 60.0
WARM_SECONDS: Final = 15.0
PORT: Final = 8085
_PATIENCE: Final = 120.0
"""For a step that must succeed, on a machine that has other things to do."""


@dataclass
class Walk:
    """Seconds, from the first command on: until the route answered, and from saving the file until
    the change was seen."""

    commands: list[tuple[str, float]] = field(default_factory=list)
    answered: float = 0.0
    busy: float = 0.0
    """Of the seconds until then, those that a processor worked for the commands that had ended."""
    live: float = 0.0


def follow(folder: Path, env: Mapping[str, str] | None = None, *, port: int = 0) -> Walk:
    """Walks the page in an empty folder; at another port, if one is given. Raises AssertionError
    where it does not say the truth."""
    with Stranger(folder, env or {}, port or _free_port()) as stranger:
        for block in blocks_of(PAGE):
            stranger.take(block)
    return stranger.walk


class Stranger:
    """Somebody with a terminal, an editor and an empty home."""

    def __init__(self, folder: Path, env: Mapping[str, str], port: int) -> None:
        self.walk = Walk()
        self._folder = folder
        self._env = {
            "PATH": f"{sys.base_prefix}/bin:{os.environ['PATH']}",  # this Python's wheels fit
            "HOME": str(folder.parent / "home"),
            "LANG": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
            **env,
        }
        self._port = port
        self._began = 0.0
        self._worked = 0.0
        self._saved = 0.0
        self._said = ""
        self._asked = ""
        self._server: subprocess.Popen[str] | None = None
        self._heard: list[str] = []
        self._ear: threading.Thread | None = None

    def __enter__(self) -> Stranger:
        self._folder.mkdir(parents=True)
        Path(self._env["HOME"]).mkdir(exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(60)
            finally:
                self._server.kill()
                self._server.wait()
                if self._ear is not None:
                    self._ear.join(60)
                if self._server.stdout is not None:
                    self._server.stdout.close()

    def take(self, block: Block) -> None:
        """One block of the page, by its language."""
        step = {
            "python": self._save, "sh": self._type, "text": self._compare, "json": self._read,
        }[block.language]  # fmt: skip
        try:
            step(block)
        except AssertionError as error:
            said = "\n".join(self._heard)
            raise AssertionError(f"{block}: {error}\n{self._said}\n{said}") from None

    def _save(self, block: Block) -> None:
        assert block.title, "the page does not say how the file is called"
        self._saved = time.perf_counter()
        (self._folder / block.title).write_text(block.body, encoding="utf-8")

    def _type(self, block: Block) -> None:
        if not self._began:
            self._began, self._worked = time.perf_counter(), _worked()
        for command in block.body.splitlines():
            began = time.perf_counter()
            if " plugin dev " in command:
                self._serve(command)
                return
            if command.startswith("curl "):
                self._asked = command.replace(f":{PORT}/", f":{self._port}/")
            else:
                self._said = self._run(command)
            self.walk.commands.append((command, time.perf_counter() - began))

    def _run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self._folder, env=self._env, capture_output=True,
            text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> None:
        if self._port != PORT:
            command += f" --listen 127.0.0.1:{self._port}"
        self._server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self._folder, env=self._env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._ear = threading.Thread(target=self._listen)
        self._ear.start()

    def _listen(self) -> None:
        assert self._server is not None
        assert self._server.stdout is not None
        for line in self._server.stdout:
            self._heard.append(line.rstrip("\n"))

    def _compare(self, block: Block) -> None:
        """What the server, or the last command, is said to print; numbers may be others."""
        for line in block.body.splitlines():
            shape = re.compile(re.sub(r"\d+", r"\\d+", re.escape(line)))
            if self._server is not None and shape.fullmatch(self._said.strip()):
                continue
            for _ in _tries():
                if any(shape.fullmatch(heard) for heard in self._heard):
                    break
                assert self._server is None or self._server.poll() is None, "the server ended"
            else:
                raise AssertionError(f"nobody said: {line}")

    def _read(self, block: Block) -> None:
        """What the address is said to answer, by and by."""
        expected = json.loads(block.body)
        for _ in _tries():
            self._said = self._run(self._asked)
            if self._said and json.loads(self._said) == expected:
                break
        else:
            raise AssertionError(f"{self._asked} did not answer {expected}")
        now = time.perf_counter()
        if self.walk.answered:
            self.walk.live = now - self._saved
        else:
            self.walk.answered = now - self._began
            self.walk.busy = _worked() - self._worked


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tries() -> Iterator[None]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)


def _free_port() -> int:
    """8085, if nobody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return free_ports(1)[0]
    return PORT


@contextmanager
def _workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stagebox-quickstart-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> None:
    with _workplace() as place:
        wheels = place / "wheels"
        pip = [sys.executable, "-m", "pip", "--quiet", "wheel", "--wheel-dir", str(wheels)]
        subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
        (own,) = wheels.glob("stagebox-*.whl")
        constraint = place / "constraint.txt"
        constraint.write_text(f"stagebox @ {own.as_uri()}\n")
        sources = {"PIP_CONSTRAINT": str(constraint), "PIP_NO_CACHE_DIR": "1"}
        cold = follow(place / "cold" / "work", sources)
        _tell("cold", cold, COLD_SECONDS)
        if cold.answered > COLD_SECONDS:  # the index, or this machine, may have had a bad minute
            cold = follow(place / "again" / "work", sources)
            _tell("cold, once more", cold, COLD_SECONDS)
        subprocess.run([*pip, "--find-links", str(wheels), str(own)], check=True)
        at_hand = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        warm = follow(place / "warm" / "work", at_hand)
        _tell("with cached wheels", warm, WARM_SECONDS)


def _tell(name: str, walk: Walk, limit: float) -> None:
    """Shown, not judged: the index and the machine have bad minutes."""
    verdict = "met" if walk.answered <= limit else "MISSED"
    print(
        f"quickstart, {name}: the route answers after {walk.answered:.1f} s (aim {limit:.0f} s: "
        f"{verdict}), of which a processor worked {walk.busy:.1f} s"
    )
    for command, seconds in walk.commands:
        print(f"  {seconds:6.1f} s  {command}")
    print(f"  {walk.live:6.2f} s  from saving the file to the change being live (aim 1 s)")


if __name__ == "__main__":
    main()
