"""The host's clock, which a test may move."""

from __future__ import annotations

import math
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plugin_sdk import Clock

__all__ = ["SystemClock"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_OFFSET_SECONDS = 6e10  # keeps every moved time within the years 1 to 9999


class SystemClock(Clock):
    """The system's time, plus the number of seconds in ``offset_file`` if there is one.

    The file is read at each use; a missing, empty or unreadable one counts as 0
    (accounts-and-plugins contract, 1.3). Without a path nothing is read.
    """

    def __init__(self, offset_file: Path | None = None) -> None:
        self._offset_file = os.fspath(offset_file) if offset_file is not None else None

    def time(self) -> float:
        if self._offset_file is None:
            return time.time()
        return time.time() + self._offset()

    def ms(self) -> int:
        now = time.time_ns() // 1_000_000
        if self._offset_file is None:
            return now
        return now + round(self._offset() * 1000)

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.time())

    def iso(self, ms: int | None = None) -> str:
        moment = _EPOCH + timedelta(milliseconds=self.ms() if ms is None else ms)
        return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"

    def _offset(self) -> float:
        assert self._offset_file is not None
        try:
            # Not to wait for a writer, should the name be that of a pipe.
            descriptor = os.open(self._offset_file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            try:
                text = os.read(descriptor, 64)
            finally:
                os.close(descriptor)
            seconds = float(text)
        except (OSError, ValueError):
            return 0.0
        return seconds if math.isfinite(seconds) and abs(seconds) < _MAX_OFFSET_SECONDS else 0.0
