"""Removing a room with all that belongs to it (open-group contract, 12.4)."""

from __future__ import annotations

from typing import Final

from builtin_plugins.rooms.groups import OpenGroups
from builtin_plugins.rooms.writing import Writing
from plugin_sdk import Database

__all__ = ["remove_room"]

# ruff: noqa: S608  (constants only)
_TRASH: Final = """
    INSERT INTO blob_trash (blob_key) SELECT blob_key FROM files WHERE room_id = :room
    ON CONFLICT DO NOTHING
"""
_TRASH_IMAGE: Final = """
    INSERT INTO blob_trash (blob_key) SELECT image_key FROM open_groups
    WHERE id = :room AND image_key IS NOT NULL ON CONFLICT DO NOTHING
"""
_OF_MESSAGES: Final = tuple(
    f"DELETE FROM {table} WHERE message_id IN (SELECT id FROM messages WHERE room_id = :room)"
    for table in ("reactions", "attachments")
)
_OF_ROOM: Final = tuple(
    f"DELETE FROM {table} WHERE room_id = :room"
    for table in (
        "messages",
        "deletions",
        "members",
        "bans",
        "tokens",
        "pending_tokens",
        "files",
    )
)


def remove_room(database: Database, groups: OpenGroups, writing: Writing, room_id: str) -> bool:
    """Any kind of room, in a transaction; bytes of files and image are removed later. False when
    there is no such room."""
    here = {"room": room_id}
    public = groups.exists(room_id)
    for statement in (_TRASH, _TRASH_IMAGE, *_OF_MESSAGES, *_OF_ROOM):
        database.execute(statement, here)
    groups.retire(room_id)
    if not database.table("rooms").delete(room_id):
        return False
    writing.removed("room", room_id)
    if public:
        writing.tell("rooms.deleted", {"room": room_id})
    return True
