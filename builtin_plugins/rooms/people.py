"""Users and members, as far as keys are concerned (open-group contract, 12.3)."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.rooms.documents import dump, user
from builtin_plugins.rooms.names import Key
from builtin_plugins.rooms.writing import Writing
from plugin_sdk import Database

__all__ = ["People"]

_ADD_USER: Final = """
    INSERT INTO users (id, oder_id, display_name, doc) VALUES (:id, :id, :id, :doc)
    ON CONFLICT DO NOTHING
"""
_ADD_MEMBER: Final = """
    INSERT INTO members (room_id, user_id, role, joined_at) VALUES (:room, :key, :role, :now)
    ON CONFLICT (room_id, user_id) DO NOTHING
"""
_JOIN: Final = """
    UPDATE members SET joined_at = :now
    WHERE room_id = :room AND user_id = :key AND joined_at IS NULL
"""
_MEMBER: Final = """
    SELECT role, joined_at, last_seen_at FROM members WHERE room_id = :room AND user_id = :key
"""
_KNOWN: Final = """
    SELECT 1 FROM members WHERE room_id = :room AND user_id = :key AND joined_at IS NOT NULL
"""
_NAMES: Final = {"role": "role", "joined_at": "joinedAt", "last_seen_at": "lastSeenAt"}


class People:
    """All is called in a transaction."""

    def __init__(self, database: Database, writing: Writing) -> None:
        self._db = database
        self._writing = writing

    def join(self, room_id: str, key: Key, now: int) -> None:
        """The key has come into the room: makes user and member unless they are there."""
        if self._db.value(_KNOWN, {"room": room_id, "key": key}) is not None:
            return
        if not self.add_member(room_id, key, now):
            self._db.execute(_JOIN, {"room": room_id, "key": key, "now": now})
            self.tell_member(room_id, key)
        self._writing.tell("rooms.member_joined", {"room": room_id, "key": key})

    def add_member(self, room_id: str, key: Key, now: int | None, role: str = "member") -> bool:
        """False when it is one already."""
        doc = user(key)
        if self._db.execute(_ADD_USER, {"id": key, "doc": dump(doc)}):
            self._writing.saved("user", key, doc)
        row = {"room": room_id, "key": key, "role": role, "now": now}
        if not self._db.execute(_ADD_MEMBER, row):
            return False
        self.tell_member(room_id, key)
        return True

    def tell_member(self, room_id: str, key: str) -> None:
        """Tells of a member that was made or changed."""
        row = self._db.one(_MEMBER, {"room": room_id, "key": key}) or {}
        doc: dict[str, Any] = {"roomId": room_id, "userId": key}
        doc |= {_NAMES[name]: value for name, value in row.items() if value is not None}
        self._writing.saved("member", f"{room_id}/{key}", doc)
