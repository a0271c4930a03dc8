"""What a piece of code leaves behind: threads and sockets."""

from __future__ import annotations

import gc
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Leaked", "leak_check"]


class Leaked(AssertionError):
    """A thread or a socket was left behind; the message says which."""


@contextmanager
def leak_check(patience: float = 3.0) -> Iterator[None]:
    """Raises Leaked unless the block ends all threads and closes all sockets that it made::

        with leak_check():
            plugin.enable()
            plugin.disable()

    Things that are just ending are waited for, at most ``patience`` seconds. Sockets are seen
    where the system lists open files (Linux, macOS).
    """
    threads = set(threading.enumerate())
    sockets = _open_sockets()
    yield
    deadline = time.monotonic() + patience
    left = [*_threads_left(threads, deadline), *_sockets_left(sockets, deadline)]
    if left:
        raise Leaked("Left behind: " + "; ".join(left) + ".")


def _threads_left(before: set[threading.Thread], deadline: float) -> list[str]:
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    return [_description(thread) for thread in new if thread.is_alive()]


def _description(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    where = ""
    if frame is not None:
        code = frame.f_code
        where = f" in {code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
    return f'the thread "{thread.name}"{where}'


def _sockets_left(before: set[tuple[int, int]], deadline: float) -> list[str]:
    new = _open_sockets() - before
    if new:
        gc.collect()  # a forgotten socket says so with a ResourceWarning of its own
        new = _open_sockets() - before
    while new and time.monotonic() < deadline:
        time.sleep(0.01)
        new = _open_sockets() - before
    return [f"the socket with file number {number}" for number, _ in sorted(new)]


def _open_sockets() -> set[tuple[int, int]]:
    """File number and inode of each open socket of this process."""
    found = set()
    for folder in ("/proc/self/fd", "/dev/fd"):
        if not Path(folder).is_dir():
            continue
        for name in os.listdir(folder):  # noqa: PTH208  # names are wanted, not paths
            try:
                status = os.fstat(int(name))
            except OSError:  # closed meanwhile, such as the listing's own
                continue
            if stat.S_ISSOCK(status.st_mode):
                found.add((int(name), status.st_ino))
        break
    return found
