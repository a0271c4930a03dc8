"""The outbox: rows of events in the emitting plugin's own database.

A row belongs to the process that wrote it (``owner``), which alone hands it over; rows of a
process that died are adopted by another. ``position`` numbers the rows of one owner in the order
of their commits. It is given out inside a write transaction, and `Database.transaction` lets one
writer in at a time: an engine that admitted several would have to lock here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from host.db.engine import HostDatabase
from host.db.faults import MissingTable

__all__ = ["TABLE", "Letter", "Outbox"]

# The only variable part of these statements is the table's name, a constant.
# ruff: noqa: S608

TABLE: Final = "_stagebox_outbox"

_CREATE: Final = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    owner TEXT NOT NULL, position BIGINT NOT NULL, event_id TEXT NOT NULL, name TEXT NOT NULL,
    data TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (owner, position))"""
_INSERT: Final = (
    f"INSERT INTO {TABLE} (owner, position, event_id, name, data, at)"
    " VALUES (:owner, :position, :event_id, :name, :data, :at)"
)
_READ: Final = (
    f"SELECT position, event_id, name, data, at FROM {TABLE}"
    " WHERE owner = :owner AND position > :after ORDER BY position LIMIT :limit"
)
_DELETE: Final = (
    f"DELETE FROM {TABLE} WHERE owner = :owner AND position > :after AND position <= :upto"
)
_OWNERS: Final = (
    "SELECT owner, MIN(position) AS first, MAX(position) AS last"
    f" FROM {TABLE} GROUP BY owner ORDER BY MIN(at)"
)
_ADOPT: Final = (
    f"UPDATE {TABLE} SET owner = :owner, position = position + :offset WHERE owner = :old"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """An event as it lies in the outbox; ``data`` is JSON text, parsed anew for each handler."""

    position: int
    event_id: str
    name: str
    data: str
    at: int

    @property
    def size(self) -> int:
        return len(self.data)


class Outbox:
    """Row access to one database's outbox for one owner."""

    def __init__(self, database: HostDatabase, owner: str) -> None:
        self.database = database
        self.owner = owner
        self._made = False

    def append(self, letter: Letter) -> None:
        """Writes a row; to be called inside a transaction. Makes the table when there is none."""
        row = {
            "owner": self.owner,
            "position": letter.position,
            "event_id": letter.event_id,
            "name": letter.name,
            "data": letter.data,
            "at": letter.at,
        }
        if self._made:
            try:
                self.database.execute(_INSERT, row)
                return
            except MissingTable:  # another process dropped the database, and it was made anew
                self._made = False
        self.database.execute(_CREATE)
        self.database.execute(_INSERT, row)
        self.database.after_commit(self._note_made)  # a rollback takes the table with it

    def exists(self) -> bool:
        """Whether the table is there; it is not in a copy made before the first event."""
        return self.database.table(TABLE).exists()

    def read(self, after: int, limit: int) -> list[Letter]:
        """At most ``limit`` own rows behind position ``after``, in order."""
        wanted = {"owner": self.owner, "after": after, "limit": limit}
        try:
            return [Letter(**row) for row in self.database.query(_READ, wanted)]
        except MissingTable:
            return []

    def delete(self, after: int, upto: int) -> None:
        """Removes own rows behind position ``after``, up to ``upto``."""
        if self.exists():
            span = {"owner": self.owner, "after": after, "upto": upto}
            with suppress(MissingTable):  # what this process knows of a table may be old
                self.database.execute(_DELETE, span)

    def adopt(self, reserve: Callable[[int], int], is_dead: Callable[[str], bool]) -> int:
        """Makes rows of dead owners own ones; returns the last position of them, or 0.

        ``reserve(n)`` gives out n positions and returns the first. One process gets the rows:
        who comes second finds none of that owner.
        """
        if not self.exists():
            return 0
        try:
            owners = self.database.query(_OWNERS)
        except MissingTable:
            return 0
        if not any(is_dead(row["owner"]) for row in owners):
            return 0
        last = 0
        with self.database.transaction():
            for row in self.database.query(_OWNERS):
                if is_dead(row["owner"]):
                    count = row["last"] - row["first"] + 1
                    first = reserve(count)
                    change = {"owner": self.owner, "old": row["owner"]}
                    self.database.execute(_ADOPT, {**change, "offset": first - row["first"]})
                    last = first + count - 1
        return last

    def _note_made(self) -> None:
        self._made = True
