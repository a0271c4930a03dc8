"""Whose turn it is: of all processes that share the database, one does what is to be done once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from plugin_sdk import Clock, Database, Row

__all__ = ["Turn"]

_LEASE_MS: Final = 15_000
_RENEWED_BELOW_MS: Final = 10_000


class Turn:
    """A row of the table ``turn``: a lease that its holder renews every five seconds. When the
    holder's process dies, another one has the turn a quarter of a minute later; one of the
    service's next life (``life`` names the present one) has it at once."""

    def __init__(
        self, database: Database, clock: Clock, name: str, life: Callable[[], str]
    ) -> None:
        self._db = database
        self._clock = clock
        self._name = name
        self._life = life
        self._own = uuid.uuid4().hex

    def have(self) -> bool:
        """Takes the turn if nobody has it, or keeps it. Costs one look at one row, and every
        five seconds a write."""
        row = self._row()
        if row is not None and row["holder"] == self._holder:
            return self._left(row) > _RENEWED_BELOW_MS or self._take()
        return self._is_free(row) and self._take()

    def give_up(self) -> None:
        """Whoever looks next has it."""
        where = "name = :name AND holder = :holder"
        self._db.table("turn").delete_where(where, {"name": self._name, "holder": self._holder})

    @property
    def _holder(self) -> str:
        return f"{self._life()}/{self._own}"

    def _take(self) -> bool:
        with self._db.transaction():
            if not self._is_free(self._row()):
                return False
            end = self._clock.ms() + _LEASE_MS
            lease = {"name": self._name, "holder": self._holder, "expires_at": end}
            self._db.table("turn").upsert(lease)
            return True

    def _row(self) -> Row | None:
        return self._db.table("turn").get(self._name)

    def _is_free(self, row: Row | None) -> bool:
        if row is None or row["holder"] == self._holder or self._left(row) <= 0:
            return True
        life, _, _ = row["holder"].partition("/")
        return bool(life != self._life())

    def _left(self, row: Row) -> int:
        """Milliseconds; none when the lease is longer than any: the clock was set back."""
        left: int = row["expires_at"] - self._clock.ms()
        return left if left <= 2 * _LEASE_MS else 0
