"""Writing checked objects into the tables, for plugins one by one and for imports in bulk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.local.finished import (
    attachment_doc,
    ban_doc,
    message_doc,
    reaction_doc,
    room_doc,
    user_doc,
)
from builtin_plugins.rooms.local.open_messages import OpenMessages
from builtin_plugins.rooms.local.shapes import Located
from plugin_sdk import Conflict, Database, Invalid

__all__ = ["Rows"]

Doc = dict[str, Any]

_BATCH: Final = 1000
_KNOWN: Final = 10_000
"""Rooms of which it is remembered whether they are open groups."""
_NUMBERED: Final = re.compile(r"([A-Za-z0-9_-]{1,64})-([0-9]+)")
_PUT_MESSAGE: Final = """
    INSERT INTO messages
    (id, room_id, sender_id, timestamp, is_deleted, server_id, data, signature, doc)
    VALUES
    (:id, :room_id, :sender_id, :timestamp, :is_deleted, :server_id, :data, :signature, :doc)
    ON CONFLICT (id) DO UPDATE SET room_id = excluded.room_id, sender_id = excluded.sender_id,
    timestamp = excluded.timestamp, is_deleted = excluded.is_deleted,
    server_id = excluded.server_id, data = excluded.data, signature = excluded.signature,
    doc = excluded.doc
"""
_PLAIN_IN_ROOM: Final = (
    "SELECT id FROM messages WHERE room_id = :room AND server_id IS NULL LIMIT 1"
)
_TAKEN: Final = "SELECT id FROM users WHERE oder_id = :oder_id AND id <> :id"
_DISPLACE: Final = "UPDATE users SET oder_id = :aside WHERE id = :id"
_ASIDE: Final = "\x1f"
_SAME_REACTION: Final = """
    DELETE FROM reactions
    WHERE message_id = :message_id AND user_id = :user_id AND emoji = :emoji AND id <> :id
"""


class Rows:
    """One for each transaction: it remembers what it met in there. Call `finish` at its end.

    ``where`` is what an error writes before the name of the member. Each ``put_…`` returns the
    object as it is stored, or None for a message that has been deleted for good."""

    def __init__(self, core: Core, by: str) -> None:
        self._core = core
        self._by = by
        self._db: Database = core.db
        self._open: dict[str, bool] = {}
        self._open_messages = OpenMessages(core, by, self._put_message, self._flush)
        self._waiting: list[Mapping[str, Any]] = []
        self._roles: set[str] = set()
        self._counts: set[str] = set()
        # Users whose oderId somebody else has now, and where that was said: fine if they get
        # another one before the end.
        self._displaced: dict[str, str] = {}
        self._putters: Mapping[str, Callable[[Doc, str], Doc | None]] = {
            "room": self.put_room,
            "user": self.put_user,
            "member": self.put_member,
            "message": self.put_message,
            "reaction": self.put_reaction,
            "attachment": self.put_attachment,
            "ban": self.put_ban,
        }

    def put(self, kind: str, doc: Doc, where: str) -> Doc | None:
        """Raises Located."""
        return self._putters[kind](doc, where)

    def finish(self) -> None:
        """Writes what waits, and bumps what others have cached. Raises Located."""
        self._flush()
        for where in self._displaced.values():
            raise Located(f"{where}.oderId", "belongs to another user")
        self._open_messages.finish()
        for room in sorted(self._roles):
            self._core.roles_changed(room)
        for room in sorted(self._counts):
            self._core.counts_changed(room)

    def is_open(self, room_id: str) -> bool:
        known = self._open.get(room_id)
        if known is None:
            if len(self._open) >= _KNOWN:
                self._open.clear()
            known = self._open[room_id] = self._core.groups.exists(room_id)
        return known

    def put_room(self, doc: Doc, where: str) -> Doc:
        """A room without ``openGroup`` keeps the flag that it has."""
        id, name, wished = doc["id"], doc["name"], doc.get("openGroup")
        is_open = self.is_open(id)
        if is_open and wished is False:
            raise Located(f"{where}.openGroup", "must not be false: the room is an open group")
        if wished and not is_open:
            self._make_open(doc, where)
        elif is_open:
            self._core.groups.rename(id, name)
        stored = room_doc(doc, is_open or bool(wished))
        self._db.table("rooms").upsert({"id": id, "name": name, "doc": dump(stored)})
        return stored

    def put_user(self, doc: Doc, where: str) -> Doc:
        stored = user_doc(doc)
        row = {"id": stored["id"], "oder_id": stored["oderId"]}
        self._displaced.pop(stored["id"], None)
        other = self._db.value(_TAKEN, row)
        if other is not None:
            self._db.execute(_DISPLACE, {"id": other, "aside": f"{_ASIDE}{uuid4()}"})
            self._displaced[other] = where
        more = {"display_name": stored["displayName"], "doc": dump(stored)}
        self._db.table("users").upsert({**row, **more})
        return stored

    def put_member(self, doc: Doc, where: str) -> Doc:
        room = doc["roomId"]
        row = {"room_id": room, "user_id": doc["userId"], "role": doc.get("role")}
        times = {"joined_at": doc.get("joinedAt"), "last_seen_at": doc.get("lastSeenAt")}
        moderated = self._moderates(room, doc["userId"])
        self._db.table("members").upsert({**row, **times})
        if self._moderates(room, doc["userId"]) != moderated:
            what = "removed" if moderated else "added"
            told = {"room": room, "key": doc["userId"], "by": self._by}
            self._core.writing.tell(f"rooms.moderator_{what}", told)
        if self.is_open(room):
            self._roles.add(room)
        return doc

    def put_message(self, doc: Doc, where: str) -> Doc | None:
        room, id = doc["roomId"], doc["id"]
        if self.is_open(room):
            return self._open_messages.put(doc, where)
        if doc.get("senderId") is None:
            raise Located(f"{where}.senderId", "is missing")
        numbered = _NUMBERED.fullmatch(id)
        if numbered is not None and self.is_open(numbered[1]):
            problem = f"is kept for messages of the open group {numbered[1]}"
            raise Located(f"{where}.id", problem)
        stored = message_doc(doc)
        self._put_message(
            {
                "id": id,
                "room_id": room,
                "sender_id": doc["senderId"],
                "timestamp": doc["timestamp"],
                "is_deleted": int(stored["isDeleted"]),
                "server_id": None,
                "data": None,
                "signature": None,
                "doc": dump(stored),
            }
        )
        return stored

    def put_reaction(self, doc: Doc, where: str) -> Doc:
        """In place of one that says the same of the same message."""
        stored = reaction_doc(doc, self._core.clock.ms())
        row = {
            "id": stored["id"],
            "message_id": stored["messageId"],
            "user_id": stored["userId"],
            "emoji": stored["emoji"],
        }
        self._db.execute(_SAME_REACTION, row)
        more = {"timestamp": stored["timestamp"], "doc": dump(stored)}
        self._db.table("reactions").upsert({**row, **more})
        return stored

    def put_attachment(self, doc: Doc, where: str) -> Doc:
        stored = attachment_doc(doc)
        row = {"id": doc["id"], "message_id": doc["messageId"], "doc": dump(stored)}
        self._db.table("attachments").upsert(row)
        return stored

    def put_ban(self, doc: Doc, where: str) -> Doc:
        stored = ban_doc(doc, self._core.clock.ms())
        room, user = stored["roomId"], stored["userId"]
        row = {
            "room_id": room,
            "user_id": user,
            "oder_id": stored.get("oderId"),
            "expires_at": stored["expiresAt"],
            "timestamp": stored["timestamp"],
            "doc": dump(stored),
        }
        if self.is_open(room):
            before = self._db.table("bans").get((room, user)) or {}
            names = (user, row["oder_id"], before.get("oder_id"))
            with self._core.bans.followed(room, names, self._by):
                self._db.table("bans").upsert(row)
            self._counts.add(room)
        else:
            self._db.table("bans").upsert(row)
        return stored

    def _moderates(self, room: str, user: str) -> bool:
        return self.is_open(room) and self._core.roles.is_moderator(room, user)

    def _put_message(self, row: Mapping[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._db.executemany(_PUT_MESSAGE, self._waiting)
            self._waiting = []
            self._open_messages.flushed()

    def _make_open(self, doc: Doc, where: str) -> None:
        """Raises Located when what is stored already would break the rules of open groups."""
        id = doc["id"]
        self._flush()
        if self._db.value(_PLAIN_IN_ROOM, {"room": id}) is not None:
            raise Located(f"{where}.openGroup", "must not be true: the room has unsigned messages")
        try:
            self._core.groups.check_numbers(id)
            self._core.groups.create(id, doc["name"])
        except (Invalid, Conflict) as error:
            raise Located(f"{where}.id", error.message) from None
        self._core.writing.tell("rooms.created", {"room": id})
        self._open[id] = True
