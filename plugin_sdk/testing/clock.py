"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Final

__all__ = ["FakeClock"]

_START: Final = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """``context.clock`` in tests::

        clock = FakeClock()                  # 2026-05-01T12:00:00.000Z
        clock.advance(90)                    # seconds
        clock.set(datetime(2027, 1, 1, tzinfo=UTC))
        assert clock.iso() == "2027-01-01T00:00:00.000Z"

    ``now`` is seconds since the epoch, or a datetime with time zone (ValueError without one).
    """

    def __init__(self, now: float | datetime = _START) -> None:
        self._lock = threading.Lock()
        self._ms = _milliseconds(now)

    def time(self) -> float:
        return self._ms / 1000

    def ms(self) -> int:
        return self._ms

    def now(self) -> datetime:
        return _moment(self._ms)

    def iso(self, ms: int | None = None) -> str:
        moment = _moment(self._ms if ms is None else ms)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def set(self, now: float | datetime) -> None:
        """Puts the clock; backwards too, as a real one may be put."""
        ms = _milliseconds(now)
        with self._lock:
            self._ms = ms

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        with self._lock:
            self._ms += round(seconds * 1000)


def _milliseconds(now: float | datetime) -> int:
    if isinstance(now, datetime):
        if now.tzinfo is None:
            raise ValueError(f"{now!r} has no time zone: write datetime(..., tzinfo=UTC).")
        now = now.timestamp()
    return round(now * 1000)


def _moment(ms: int) -> datetime:
    whole, rest = divmod(ms, 1000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest * 1000)
