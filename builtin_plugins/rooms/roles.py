"""Moderators: the members of a room with role ``moderator`` whose user id is a key (9, 12.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.groups import OpenGroups
from builtin_plugins.rooms.names import Key, is_key
from builtin_plugins.rooms.people import People
from builtin_plugins.rooms.writing import Writing
from plugin_sdk import Database

__all__ = ["Moderators", "Roles"]

_READ: Final = """
    SELECT user_id FROM members WHERE room_id = :room AND role = 'moderator' ORDER BY user_id
"""
_ROLE: Final = "SELECT role FROM members WHERE room_id = :room AND user_id = :key"
_SET: Final = "UPDATE members SET role = :role WHERE room_id = :room AND user_id = :key"
_FORGET: Final = """
    DELETE FROM members WHERE room_id = :room AND user_id = :key AND joined_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Moderators:
    """The moderators of a room as of a version; ``text`` is their sorted list as JSON."""

    version: int
    keys: frozenset[str]
    text: str


class Roles:
    def __init__(
        self, database: Database, groups: OpenGroups, people: People, writing: Writing
    ) -> None:
        self._db = database
        self._groups = groups
        self._people = people
        self._writing = writing
        self._known: dict[str, Moderators] = {}

    def moderators(self, room_id: str, version: int) -> Moderators:
        """The list as it was when the room's ``roles_version`` was read, or newer. Not to be
        called in a transaction: what that undoes must not be remembered."""
        known = self._known.get(room_id)
        if known is None or known.version != version:
            keys = self.read(room_id)
            known = self._known[room_id] = Moderators(version, frozenset(keys), dump(keys))
        return known

    def read(self, room_id: str) -> list[str]:
        """Sorted."""
        return [key for key in self._db.values(_READ, {"room": room_id}) if is_key(key)]

    def is_moderator(self, room_id: str, key: str) -> bool:
        return is_key(key) and self._db.value(_ROLE, {"room": room_id, "key": key}) == "moderator"

    def add(self, room_id: str, key: Key, by: str) -> None:
        """In a transaction; nothing happens if it is one already."""
        if self.is_moderator(room_id, key):
            return
        if not self._people.add_member(room_id, key, None, "moderator"):
            self._db.execute(_SET, {"room": room_id, "key": key, "role": "moderator"})
            self._people.tell_member(room_id, key)
        self.changed(room_id)
        self._writing.tell("rooms.moderator_added", {"room": room_id, "key": key, "by": by})

    def remove(self, room_id: str, key: Key, by: str) -> None:
        """In a transaction; nothing happens if it is none. Who never came is no member any
        more."""
        if not self.is_moderator(room_id, key):
            return
        if self._db.execute(_FORGET, {"room": room_id, "key": key}):
            self._writing.removed("member", f"{room_id}/{key}")
        else:
            self._db.execute(_SET, {"room": room_id, "key": key, "role": "member"})
            self._people.tell_member(room_id, key)
        self.changed(room_id)
        self._writing.tell("rooms.moderator_removed", {"room": room_id, "key": key, "by": by})

    def changed(self, room_id: str) -> None:
        """To be called in every transaction that changes roles of members."""
        self._groups.roles_changed(room_id)
