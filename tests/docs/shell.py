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
import tempfile
from importlib.metadata import metadata
from itertools import takewhile
from pathlib import Path
from typing import Final

from tests.docs.pages import ROOT

__all__ = ["CommandLine", "Shell"]

_SECONDS: Final = 120.0

_FORKING: Final = """
import gc, importlib, json, os, socket, sys
from importlib.metadata import entry_points
import host.cli, host.cli.serving
from host.server import Server

host.cli.serving.refuse_half_moved = host.cli.serving._restore_pending = lambda config: None
host.cli.serving._serve = host.cli.serving.serve_fleet = lambda config, *_: False
alive = 0
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
    alive += 1
    if os.fork():
        while alive and os.waitpid(-1, os.WNOHANG)[0]:
            alive -= 1
        caller.close()
        for each in inherited:
            os.close(each)
        continue
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


class CommandLine:
    """A context manager: the process from which ``stagebox`` is forked, behind ``door``."""

    def __enter__(self) -> CommandLine:
        self._folder = Path(tempfile.mkdtemp(prefix="stagebox-door-", dir="/tmp"))
        self.door = self._folder / "door"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.door))
        self._socket.listen()
        number = self._socket.fileno()
        command = [sys.executable, "-c", _FORKING, str(number)]
        self._process = subprocess.Popen(command, pass_fds=[number], cwd=ROOT)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._socket.close()
        shutil.rmtree(self._folder)


class Shell:
    """``port`` is that of the host whose data lie in ``data``; ``home`` is a folder of ours, where
    commands are typed."""

    def __init__(self, home: Path, data: Path, port: int, command_line: CommandLine) -> None:
        self.home = home
        self._programs = home / "usr/bin"
        self._notes = home / "usr/notes"
        self._port = port
        self._env = {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "STAGEBOX_DATA_DIR": str(data),
        }
        self._programs.mkdir(parents=True)
        for name, target in ((".venv/bin", self._programs), (".stagebox", data)):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).symlink_to(target)
        door = str(command_line.door)
        self._program("stagebox", _CALLING.format(python=sys.executable, door=door))
        for name in _LOOKED_AT:
            self._program(name, _LOOKING.format(notes=self._notes))
        self._program(
            "python3",
            f'#!/bin/sh\n[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
            f'mkdir -p "$3/bin" && ln -sf {self._programs}/* "$3/bin/"\n',
        )

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
