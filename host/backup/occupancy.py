"""Who is at work on a data directory, as the kernel knows it (flock(2)).

Every process that works on one holds it with others; a restore holds it alone. The kernel lets go
when a process dies, however it dies. This complements `host.app.presence`, which also sees other
machines, but only servers, and only once they listen.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from host.backup import swap
from plugin_sdk import Conflict

__all__ = ["alone", "occupied"]

_LOCK: Final = ".lock"


@contextmanager
def occupied(data_dir: Path) -> Iterator[None]:
    """Holds the directory together with others. A restore that a crash cut short is finished or
    undone first. Raises Conflict while a restore is under way."""
    if swap.is_left(data_dir):
        with alone(data_dir):
            swap.recover(data_dir)
    with _held(data_dir, fcntl.LOCK_SH, "A restore is under way in {}: wait for its end."):
        yield


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Holds the directory with nobody beside. Raises Conflict."""
    text = "Another process works on {}: stop the server and other commands first."
    with _held(data_dir, fcntl.LOCK_EX, text):
        yield


@contextmanager
def _held(data_dir: Path, kind: int, text: str) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(text.format(data_dir)) from None
        yield
    finally:
        os.close(descriptor)
