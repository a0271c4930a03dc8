"""Turns at a server: so many requests a second, whoever of us asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from plugin_sdk import Clock, Database, ProviderError

__all__ = ["MAX_WAIT", "Limiter", "Pause", "create_turns"]

MAX_WAIT: Final = 30.0
"""Seconds that somebody waits for a turn; later ones are told to come again."""

_SLICE: Final = 0.25

Pause = Callable[[float], object]
"""Waits so many seconds; tests move their clock instead."""


def create_turns(db: Database) -> None:
    """One row for each server: when its next turn is, in milliseconds since the epoch."""
    db.table("turns").create({"server": "text", "next_at": "integer"}, pk="server")


class Limiter:
    """A bucket of one token, refilled ``per_second`` times a second. It stands in the database,
    since all processes and hosts of an installation are one caller in the server's eyes."""

    def __init__(
        self, db: Database, clock: Clock, stopping: Callable[[], bool], pause: Pause | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._stopping = stopping
        self._pause: Pause = pause or threading.Event().wait

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.ms() / 1000

    def take(self, server: str, per_second: float) -> None:
        """Waits for a turn. Raises ProviderError when it would take too long, or the host is to
        stop meanwhile."""
        self.wait_until(self._drawn(server, round(1000 / per_second)))

    def hold(self, server: str, seconds: float) -> None:
        """Nobody asks for so long: the server said so."""
        until = self._clock.ms() + round(min(seconds, MAX_WAIT) * 1000)
        self._db.execute(
            "INSERT INTO turns (server, next_at) VALUES (:server, :until)"
            " ON CONFLICT (server) DO UPDATE SET next_at = excluded.next_at"
            " WHERE turns.next_at < excluded.next_at",
            {"server": server, "until": until},
        )

    def wait_until(self, moment: int) -> None:
        """Raises ProviderError when the host is to stop meanwhile."""
        while (left := (moment - self._clock.ms()) / 1000) > 0:
            if self._stopping():
                raise ProviderError("The look-up was given up: the host is stopping.")
            self._pause(min(left, _SLICE))

    def _drawn(self, server: str, interval: int) -> int:
        """When the caller's turn is; the next one's is an interval later."""
        with self._db.transaction():
            now = self._clock.ms()
            row = self._db.one(
                "SELECT next_at FROM turns WHERE server = :server", {"server": server}
            )
            turn = max(now, row["next_at"]) if row is not None else now
            if turn - now > MAX_WAIT * 1000 * 2:  # the clock was put back
                turn = now
            if turn - now > MAX_WAIT * 1000:
                seconds = (turn - now) / 1000
                raise ProviderError("Too many look-ups are waiting.", retry_after=seconds)
            self._db.execute(
                "INSERT INTO turns (server, next_at) VALUES (:server, :next)"
                " ON CONFLICT (server) DO UPDATE SET next_at = excluded.next_at",
                {"server": server, "next": turn + interval},
            )
            return turn
