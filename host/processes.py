"""Processes of this machine."""

from __future__ import annotations

import os

__all__ = ["is_running"]


def is_running(pid: int) -> bool:
    """Whether there is a process of that number, whosoever it is (POSIX: ``kill`` with signal 0).
    A number is used again: it need not be the process that once had it. Raises OverflowError for
    a number that no process has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
