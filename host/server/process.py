"""What a server asks of the process that it runs in."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["SwitchInterval", "raise_file_limit"]

_FILES: Final = 65536


def raise_file_limit() -> None:
    """Allows this process as many open files as it may allow itself, up to 65,536: the customary
    1,024 are fewer than the WebSockets of one route."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class SwitchInterval:
    """How long a thread may keep the interpreter lock while others want it, for as long as a
    server runs (`sys.setswitchinterval`; Python's own is 5 ms).

    A request passes from thread to thread, and behind plugins that calculate it waits that long
    at each of them.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._before: float | None = None

    def shorten(self) -> None:
        """Makes the interval that short, unless it is shorter."""
        before = sys.getswitchinterval()
        if before > self._seconds:
            self._before = before
            sys.setswitchinterval(self._seconds)

    def restore(self) -> None:
        """As it was before, unless somebody else has changed it since."""
        if self._before is not None and abs(sys.getswitchinterval() - self._seconds) < 1e-6:
            sys.setswitchinterval(self._before)
        self._before = None
