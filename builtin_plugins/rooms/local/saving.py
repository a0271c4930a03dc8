"""The writing half of the service ``rooms.store`` (local REST contract, 7.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.local.rows import Rows
from builtin_plugins.rooms.local.shapes import check
from builtin_plugins.rooms.names import Key, is_key
from plugin_sdk import Forbidden, check_json

__all__ = ["Saving", "told_id"]

Doc = dict[str, Any]

_BY: Final = "rooms"
_NAMED: Final = frozenset({"room", "user", "message", "reaction", "attachment"})
_REACTION: Final = """
    SELECT doc FROM reactions WHERE message_id = :message AND user_id = :user AND emoji = :emoji
"""
_UNREACT: Final = """
    SELECT id FROM reactions WHERE message_id = :message AND user_id = :user AND emoji = :emoji
"""
_DOC: Final = "SELECT doc FROM messages WHERE id = :id"
_REWRITE: Final = "UPDATE messages SET doc = :doc, is_deleted = :deleted WHERE id = :id"


class Saving:
    """Saving checks as an import does and raises Invalid with the member's name, storing
    nothing. A missing id is made, a UUID. Each call is a transaction, and returns the object as
    it is stored."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def save_room(self, doc: Mapping[str, Any]) -> Doc:
        """Makes or replaces; ``openGroup`` true makes the room public."""
        return self._save("room", doc)

    def save_user(self, doc: Mapping[str, Any]) -> Doc:
        return self._save("user", doc)

    def save_message(self, doc: Mapping[str, Any]) -> Doc:
        """A message of an open group must come as an import wants it: signed and numbered."""
        return self._save("message", doc)

    def save_attachment(self, doc: Mapping[str, Any]) -> Doc:
        """What names a place on somebody's machine is left out."""
        return self._save("attachment", doc)

    def add_member(
        self,
        room_id: str,
        user_id: str,
        role: str | None = None,
        joined_at: int | None = None,
        last_seen_at: int | None = None,
    ) -> Doc:
        """Makes or replaces. Times are milliseconds since the epoch."""
        given = {
            "roomId": room_id,
            "userId": user_id,
            "role": role,
            "joinedAt": joined_at,
            "lastSeenAt": last_seen_at,
        }
        return self._save(
            "member", {name: value for name, value in given.items() if value is not None}
        )

    def remove_member(self, room_id: str, user_id: str) -> bool:
        """False when there was none."""
        core = self._core
        with core.transaction():
            moderated = core.moderates(room_id, user_id)
            removed = core.db.table("members").delete((room_id, user_id))
            if removed:
                core.roles_changed(room_id)
                core.removed("member", f"{room_id}/{user_id}")
            if moderated:
                told = {"room": room_id, "key": user_id, "by": _BY}
                core.writing.tell("rooms.moderator_removed", told)
        return removed

    def add_reaction(self, message_id: str, user_id: str, emoji: str) -> Doc:
        """The reaction that is there already, or a new one."""
        core = self._core
        given = {"message": message_id, "user": user_id, "emoji": emoji}
        doc = {"messageId": message_id, "userId": user_id, "emoji": emoji}
        with core.transaction():
            check("reaction", {"id": "new", **doc}, "reaction")
            known = core.db.value(_REACTION, given)
            if known is not None:
                return _loaded(known)
            return self._save("reaction", doc)

    def remove_reaction(self, message_id: str, user_id: str, emoji: str) -> bool:
        """False when there was none."""
        core = self._core
        given = {"message": message_id, "user": user_id, "emoji": emoji}
        with core.transaction():
            id = core.db.value(_UNREACT, given)
            return id is not None and self._remove("reactions", "reaction", id)

    def remove_attachment(self, id: str) -> bool:
        """False when there was none."""
        with self._core.transaction():
            return self._remove("attachments", "attachment", id)

    def ban(self, room_id: str, user_id: str, **members: Any) -> Doc:
        """Makes or replaces; ``members`` are those of a ban, ``expiresAt`` for example. Raises
        Forbidden for a moderator of an open group."""
        with self._core.transaction():
            if self._core.moderates(room_id, user_id):
                raise Forbidden("A moderator cannot be banned: dismiss them first.")
            return self._save("ban", {"roomId": room_id, "userId": user_id, **members})

    def unban(self, room_id: str, user_id: str) -> bool:
        """False when there was none. In an open group everything that bans the key goes."""
        core = self._core
        with core.transaction():
            if is_key(user_id) and core.groups.exists(room_id):
                return core.bans.remove(room_id, Key(user_id), _BY)
            row = core.db.table("bans").get((room_id, user_id))
            if row is None:
                return False
            with core.bans.followed(room_id, [row["oder_id"]], _BY):
                core.db.table("bans").delete((room_id, user_id))
            core.removed("ban", f"{room_id}/{user_id}")
            core.counts_changed(room_id)
        return True

    def _save(self, kind: str, doc: Mapping[str, Any]) -> Doc:
        made = {"id": str(uuid4())} if kind in _NAMED and doc.get("id") is None else {}
        given = {**doc, **made}
        check_json(given)
        check(kind, given, kind)
        core = self._core
        with core.transaction():
            rows = Rows(core, _BY)
            stored = rows.put(kind, given, kind)
            rows.finish()
            if stored is not None:
                core.saved(kind, told_id(kind, stored), stored)
        return given if stored is None else stored

    def _remove(self, table: str, kind: str, id: str) -> bool:
        removed = self._core.db.table(table).delete(id)
        if removed:
            self._core.removed(kind, id)
        return removed

    def _bury(self, id: str) -> None:
        """A plain message becomes a tombstone. In a transaction."""
        doc = _loaded(self._core.db.value(_DOC, {"id": id}))
        self._rewrite({**doc, "isDeleted": True, "content": ""})

    def _edit(self, id: str, content: str) -> None:
        """In a transaction. Raises Invalid."""
        doc = _loaded(self._core.db.value(_DOC, {"id": id}))
        changed = {**doc, "content": content, "editedAt": self._core.clock.ms()}
        check_json(changed)
        self._rewrite(check("message", changed, "message"))

    def _rewrite(self, doc: Doc) -> None:
        params = {"id": doc["id"], "doc": dump(doc), "deleted": int(doc["isDeleted"])}
        self._core.db.execute(_REWRITE, params)
        self._core.saved("message", doc["id"], doc)


def _loaded(text: str) -> Doc:
    doc: Doc = json.loads(text)
    return doc


def told_id(kind: str, doc: Mapping[str, Any]) -> str:
    """The id that events tell."""
    if kind in _NAMED:
        return str(doc["id"])
    return f"{doc['roomId']}/{doc['userId']}"
