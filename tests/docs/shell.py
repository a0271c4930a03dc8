"""A terminal in which the pages' commands are typed, beside one real host.

Blocks are run by bash. ``stagebox`` is the real command line, in processes forked from one that
has it imported; ``curl`` is the real one, sent to the host's own port. ``serve`` reads and checks
its options, and does not serve. What would change this machine (pip, systemctl, …) is looked at
as far as one can without doing it: see `_LOOKED_AT`.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import metadata
from itertools import takewhile
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT

__all__ = ["Shell"]

_SECONDS: Final = 60.0

_FORKING: Final = """
import gc, importlib, json, os, signal, socket, sys
from importlib.metadata import entry_points
import host.cli, host.cli.serving
from host.server import Server

host.cli.serving.refuse_half_moved = host.cli.serving._restore_pending = lambda config: None
host.cli.serving._serve = host.cli.serving.serve_fleet = lambda config, *_: False
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for entry in entry_points(group="stagebox.plugins"):
    if entry.module.startswith("builtin_plugins."):
        importlib.import_module(entry.module)
gc.freeze()
door = socket.socket(fileno=int(sys.argv[1]))
while True:
    caller, _ = door.accept()
    said, inherited, _, _ = socket.recv_fds(caller, 65536, 3)
    if not said:
        break
    if os.fork():
        caller.close()
        for each in inherited:
            os.close(each)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    door.close()
    asked = json.loads(said)
    for target, each in enumerate(inherited):
        os.dup2(each, target)
    status = 1
    try:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["env"])
        sys.argv = ["stagebox", *asked["arguments"]]
        host.cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    caller.sendall(str(status).encode())
    os._exit(0)
"""

_CALLING: Final = """#!{python} -IS
import json, os, socket, sys
asked = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "env": dict(os.environ)}}
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    socket.send_fds(door, [json.dumps(asked).encode()], [0, 1, 2])
    sys.exit(int(door.recv(16) or 1))
"""

_LOOKING: Final = '#!/bin/sh\nprintf \'%s\\n\' "$(basename "$0") $*" >> {notes}\n'

_LOOKED_AT: Final = ("pip", "make", "systemctl", "journalctl", "sudo", "nginx", "useradd", "git")
"""Commands that are not run: their words are kept in `Shell.notes`."""

_EXTRAS: Final = re.compile(r"stagebox\[([a-z0-9,]+)\]")


class Shell:
    """A context manager. ``port`` is that of the host whose data lie in ``data``; ``home`` is an
    empty folder, where commands are typed."""

    def __init__(self, home: Path, data: Path, port: int) -> None:
        self.home = home
        self._programs = home.parent / f"{home.name}-programs"
        self._notes = self._programs / "notes"
        self._port = port
        self._env = {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "STAGEBOX_DATA_DIR": str(data),
        }

    def __enter__(self) -> Shell:
        self._programs.mkdir()
        for name, target in (
            (".venv/bin", self._programs),
            (".stagebox", self._env["STAGEBOX_DATA_DIR"]),
        ):
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).symlink_to(target)
        self._door = socket.socket(socket.AF_UNIX)
        path = self._programs / "door"
        self._door.bind(str(path))
        self._door.listen()
        self._forking = subprocess.Popen(
            [sys.executable, "-c", _FORKING, str(self._door.fileno())],
            pass_fds=[self._door.fileno()], cwd=ROOT,
        )  # fmt: skip
        self._program("stagebox", _CALLING.format(python=sys.executable, door=str(path)))
        for name in _LOOKED_AT:
            self._program(name, _LOOKING.format(notes=self._notes))
        self._program(
            "python3", f'#!/bin/sh\n[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
            f'mkdir -p "$3/bin" && ln -sf {self._programs}/* "$3/bin/"\n',
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._programs)
        self._forking.terminate()
        self._forking.wait()
        self._door.close()

    def type(self, text: str) -> str:
        """What a block prints. Raises AssertionError when a line of it fails."""
        text = re.sub(r"(127\.0\.0\.1|localhost):8085", rf"\1:{self._port}", text)
        text = re.sub(r"\bcurl ", "curl --fail-with-body -sS ", text)
        text = re.sub(r"(?<![\w.~/:-])/(?=(opt|var|srv|media|etc)/)", f"{self.home}/", text)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.home, env=self._env, text=True,
            capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (
            f"{text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        self._look()
        return done.stdout

    def _look(self) -> None:
        """Whether what was typed there is something that there is."""
        notes = self._notes.read_text().splitlines() if self._notes.exists() else []
        self._notes.unlink(missing_ok=True)
        known = set(metadata("stagebox").get_all("Provides-Extra") or ())
        for note in notes:
            for extras in _EXTRAS.findall(note):
                assert set(extras.split(",")) <= known, note
            program, *words = takewhile(lambda word: "=" not in word, note.split())
            if program == "make":
                done = subprocess.run(["/usr/bin/make", "-n", *words], cwd=ROOT,
                                      capture_output=True, check=False)  # fmt: skip
                assert done.returncode == 0, note

    def _program(self, name: str, text: str) -> None:
        path = self._programs / name
        path.write_text(text)
        path.chmod(0o755)
