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
from typing import Final

__all__ = ["Leaked", "leak_check"]

_STEP: Final = 0.02


class Leaked(AssertionError):
    """A thread or a socket was left behind; the message says which."""


@contextmanager
def leak_check(patience: float = 3.0) -> Iterator[None]:
    """Raises Leaked unless the block ends all threads and closes all sockets that it made::

        with leak_check():
            plugin.enable()
            plugin.disable()

    Things that are just ending are waited for, ``patience`` seconds in all. Sockets are seen
    where the system lists open files (Linux, macOS).
    """
    threads = set(threading.enumerate())
    sockets = _open_sockets()
    yield
    # Short waits are counted, and not the time: while a machine stands still, what ends does too.
    waits = iter(range(max(1, round(patience / _STEP))))
    left = [*_threads_left(threads, waits), *_sockets_left(sockets, waits)]
    if left:
        raise Leaked("Left behind: " + "; ".join(left) + ".")


def _threads_left(before: set[threading.Thread], waits: Iterator[int]) -> list[str]:
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        if thread is not threading.current_thread():
            while thread.is_alive() and next(waits, None) is not None:
                thread.join(_STEP)
    return [_description(thread) for thread in new if thread.is_alive()]


def _description(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    where = ""
    if frame is not None:
        code = frame.f_code
        where = f" in {code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})"
    return f'the thread "{thread.name}"{where}'


def _sockets_left(before: set[tuple[int, int]], waits: Iterator[int]) -> list[str]:
    new = _open_sockets() - before
    if new:
        gc.collect()  # a forgotten socket says so with a ResourceWarning of its own
        new = _open_sockets() - before
    while new and next(waits, None) is not None:
        time.sleep(_STEP)
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
