"""What importing a module does besides defining things.

`import_effects` runs this very file in a process of its own, so it imports nothing of the SDK.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

__all__ = ["import_effects"]

_EFFECTS: Final = {
    "os.mkdir": "makes the folder",
    "os.remove": "removes",
    "os.rename": "renames",
    "os.system": "runs",
    "shutil.rmtree": "removes",
    "socket.bind": "binds a socket:",
    "socket.connect": "connects:",
    "sqlite3.connect": "opens the database",
    "subprocess.Popen": "runs",
}
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def import_effects(module: str, file: Path | None = None, *, timeout: float = 60.0) -> list[str]:
    """Imports a module in a fresh process and returns what it did, one clause each: threads
    started, files written, sockets used, programs run.

    ``file`` is loaded where no module of that name can be found. What the import raises is in the
    list too.
    """
    path = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    environment = {**os.environ, "PYTHONPATH": path}
    # -P: this folder must not come first, its module names are common words.
    command = [sys.executable, "-B", "-P", __file__, module, str(file or "")]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
    last = done.stdout.splitlines()[-1:] or [""]
    if done.returncode != 0 or not last[0].startswith("["):
        trace = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return [f"fails: {trace[0]}"]
    found: list[str] = json.loads(last[0])
    return found


class _Watch:
    """An audit hook (PEP 578) that notes effects while it is armed."""

    def __init__(self) -> None:
        self.armed = False
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
                self.found.append(f"opens for writing: {path}")
        elif event in _EFFECTS:
            shown = next((each for each in arguments if isinstance(each, str | bytes | tuple)), "")
            self.found.append(f"{_EFFECTS[event]} {shown!r}")


def _load(module: str, file: str) -> None:
    import importlib.util

    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not file or error.name is None or not (module + ".").startswith(error.name + "."):
            raise
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[module] = loaded
        spec.loader.exec_module(loaded)


def _main(module: str, file: str) -> None:
    watch = _Watch()
    sys.addaudithook(watch)
    before = set(threading.enumerate())
    watch.armed = True
    _load(module, file)
    watch.armed = False
    threads = [thread.name for thread in threading.enumerate() if thread not in before]
    watch.found += [f'starts the thread "{name}"' for name in threads]
    sys.stdout.write("\n" + json.dumps(watch.found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # whatever the module started must not keep this process


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
