"""A process that reads songs: its parent writes tasks to its standard input and takes readings
from its standard output, each a pickle behind its length.

It is a process of its own, started from nothing, so that a reader that crashes, hangs or eats
memory costs one song.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from contextlib import suppress
from typing import Any, BinaryIO, Final

from builtin_plugins.songs.reading import read_song
from plugin_sdk import SongFormat

if sys.platform != "win32":
    import resource

__all__ = ["LENGTH", "MAX_MEMORY", "bound_memory", "main", "receive", "send"]

MAX_MEMORY: Final = 4 * 1024**3
"""Bytes of addresses: a pack's largest chart takes about one of these four gigabytes."""

LENGTH: Final = struct.Struct(">I")


def send(stream: BinaryIO, value: Any) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))  # noqa: S301 - of our own process


def bound_memory(most: int = MAX_MEMORY) -> None:
    """What needs more raises MemoryError, before the machine runs out of it."""
    if sys.platform == "win32":
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError, OSError):  # a system without such a limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main() -> None:
    """The first message holds pickled readers by name; what could be made of them is answered.
    Then tasks ``(format, path, root, mtime)`` are answered one by one."""
    bound_memory()
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a reader prints is no answer
    readers: dict[str, SongFormat] = {}
    for name, content in (receive(source) or {}).items():
        try:
            readers[name] = pickle.loads(content)  # noqa: S301 - of our own process
        except Exception as error:  # its module cannot be imported here
            sys.stderr.write(f"{name}: {error!r}\n")
    send(target, sorted(readers))
    while (task := receive(source)) is not None:
        name, path, root, mtime = task
        send(target, read_song(readers[name], path, root, mtime))


if __name__ == "__main__":
    main()
