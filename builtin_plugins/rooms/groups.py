"""The open groups: which rooms are public, and their counters (open-group contract, 12.2)."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any, Final

from builtin_plugins.rooms.names import is_room_id
from plugin_sdk import Conflict, Database, Invalid, Row

__all__ = ["OpenGroups"]

_COUNTERS: Final = (
    "last_server_id",
    "last_deletion_id",
    "last_timestamp",
    "roles_version",
    "counts_version",
)
_NAME: Final = "SELECT name FROM open_groups WHERE id = :id"
_RAISE: Final = """
    UPDATE open_groups SET last_server_id = :number WHERE id = :room AND last_server_id < :number
"""
_DRAW_DELETIONS: Final = """
    UPDATE open_groups SET last_deletion_id = last_deletion_id + :count WHERE id = :room
    RETURNING last_deletion_id
"""
_BUMP: Final = {
    name: f"UPDATE open_groups SET {name} = {name} + 1 WHERE id = :room"  # noqa: S608  # constants
    for name in ("roles_version", "counts_version")
}
_IN_RANGE: Final = "SELECT id FROM messages WHERE id >= :first AND id < :beyond"
_DIGITS: Final = re.compile(r"[0-9]+")
_FOLDED: Final = """
    SELECT id FROM open_groups WHERE folded = :folded
    UNION ALL SELECT id FROM retired_rooms WHERE folded = :folded AND id <> :id
"""


class OpenGroups:
    """The tables ``open_groups`` and ``retired_rooms``. What writes is called in a transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def exists(self, room_id: str) -> bool:
        sql = "SELECT 1 FROM open_groups WHERE id = :id"
        return is_room_id(room_id) and self._db.value(sql, {"id": room_id}) is not None

    def name(self, room_id: str) -> str | None:
        """None for what is no open group."""
        name: str | None = self._db.value(_NAME, {"id": room_id})
        return name

    def row(self, room_id: str) -> Row | None:
        return self._db.one("SELECT * FROM open_groups WHERE id = :id", {"id": room_id})

    def create(self, room_id: str, name: str) -> None:
        """Makes the room one of the open-group face; its counters go on from those of a removed
        room of this id. Raises Invalid, and Conflict for an id that is taken or differs from that
        of another room, a removed one too, in letter case only."""
        self.check_new(room_id)
        retired = self._db.table("retired_rooms").get(room_id)
        kept = {column: retired[column] for column in _COUNTERS} if retired else {}
        row: dict[str, Any] = {"id": room_id, "folded": room_id.lower(), "name": name, **kept}
        self._db.table("open_groups").insert(row)
        if retired:
            self._db.table("retired_rooms").delete(room_id)

    def check_new(self, room_id: str) -> None:
        """Raises as `create`."""
        if not is_room_id(room_id):
            raise Invalid("The id of an open group has 1 to 64 of A-Z a-z 0-9 _ and -.")
        other = self._db.value(_FOLDED, {"id": room_id, "folded": room_id.lower()})
        if other == room_id:
            raise Conflict(f"The open group {room_id} exists already.")
        if other is not None:
            raise Conflict(f"The id {room_id} differs from that of {other} in letter case only.")

    def check_numbers(self, room_id: str) -> None:
        """Raises Conflict when messages elsewhere have ids that this room would give."""
        prefix = f"{room_id}-"
        span = {"first": f"{prefix}0", "beyond": f"{prefix}:"}  # ":" follows "9"
        rows: Any = self._db.iterate(_IN_RANGE, span)
        with closing(rows):
            if any(_DIGITS.fullmatch(row["id"], len(prefix)) for row in rows):
                raise Conflict(f"There are messages named {prefix}<number> already.")

    def rename(self, room_id: str, name: str) -> None:
        self._db.execute(
            "UPDATE open_groups SET name = :name WHERE id = :id", {"id": room_id, "name": name}
        )

    def retire(self, room_id: str) -> None:
        """Takes the room from the open-group face and keeps its counters for its next life."""
        row = self.row(room_id)
        if row is not None:
            kept = {column: row[column] for column in _COUNTERS}
            # A list that somebody has cached must not fit to the next life.
            kept["roles_version"] += 1
            kept["counts_version"] += 1
            self._db.table("open_groups").delete(room_id)
            self._db.table("retired_rooms").upsert({"id": room_id, "folded": row["folded"], **kept})

    def raise_server_id(self, room_id: str, number: int) -> None:
        """The next message gets a number above this one."""
        self._db.execute(_RAISE, {"room": room_id, "number": number})

    def draw_deletion_ids(self, room_id: str, count: int) -> int:
        """Draws that many deletion ids; returns the first."""
        last = self._db.value(_DRAW_DELETIONS, {"room": room_id, "count": count})
        if last is None:
            raise Conflict(f"{room_id} is no open group any more.")
        return int(last) - count + 1

    def roles_changed(self, room_id: str) -> None:
        """Nobody's cached list of moderators is good any more."""
        self._db.execute(_BUMP["roles_version"], {"room": room_id})

    def counts_changed(self, room_id: str) -> None:
        """Claimed tokens or bans changed."""
        self._db.execute(_BUMP["counts_version"], {"room": room_id})
