"""The tables of both faces, as the first migration makes them.

No foreign keys: a message, member or ban may exist without its room (local REST contract, 6).
``doc`` is the finished JSON text of the object as the read face returns it. All times are
milliseconds since the epoch; keys are 66 lower-case characters, ``05`` and the hex digits.
"""

from __future__ import annotations

from typing import Final

from plugin_sdk import Column, Database

__all__ = ["create_tables"]

_TEXT: Final = Column("text", null=False)
_INT: Final = Column("integer", null=False)
_ZERO: Final = Column("integer", null=False, default=0)


def create_tables(database: Database) -> None:
    _create_rooms(database)
    _create_people(database)
    _create_messages(database)
    _create_tokens(database)
    _create_files(database)


def _create_rooms(database: Database) -> None:
    """``rooms`` are the objects of the read face. ``open_groups`` has one small row for each room
    whose ``openGroup`` is true, with what changes at every post: the room exists for the
    open-group face exactly if that row does. ``folded`` is the id in lower case: two open groups,
    retired ones included, may not differ in letter case alone.

    ``roles_version`` grows with every change of moderators, ``counts_version`` with every change
    of claimed tokens and bans; ``pending_count`` is the number of the room's pending tokens.
    """
    rooms = database.table("rooms").create({"id": "text", "name": _TEXT, "doc": _TEXT}, pk="id")
    rooms.create_index(["name", "id"])
    counters = {
        "last_server_id": _ZERO,
        "last_deletion_id": _ZERO,
        "last_timestamp": _ZERO,
        "roles_version": _ZERO,
        "counts_version": _ZERO,
    }
    groups = database.table("open_groups").create(
        {
            "id": "text",
            "folded": _TEXT,
            "name": _TEXT,
            **counters,
            "pending_count": _ZERO,
            "image_key": "text",
        },
        pk="id",
    )
    groups.create_index(["folded"], unique=True)
    retired = database.table("retired_rooms").create(
        {"id": "text", "folded": _TEXT, **counters}, pk="id"
    )
    retired.create_index(["folded"])


def _create_people(database: Database) -> None:
    users = database.table("users").create(
        {"id": "text", "oder_id": _TEXT, "display_name": _TEXT, "doc": _TEXT}, pk="id"
    )
    users.create_index(["oder_id"], unique=True)
    members = database.table("members").create(
        {
            "room_id": _TEXT,
            "user_id": _TEXT,
            "role": "text",
            "joined_at": "integer",
            "last_seen_at": "integer",
        },
        pk=["room_id", "user_id"],
    )
    members.create_index(["user_id"])
    members.create_index(["room_id", "role", "user_id"])
    bans = database.table("bans").create(
        {
            "room_id": _TEXT,
            "user_id": _TEXT,
            "oder_id": "text",
            "expires_at": "integer",
            "timestamp": _INT,
            "doc": _TEXT,
        },
        pk=["room_id", "user_id"],
    )
    bans.create_index(["room_id", "oder_id"])
    bans.create_index(["room_id", "timestamp", "user_id"])


def _create_messages(database: Database) -> None:
    """``server_id`` is null outside of open groups. ``data`` and ``signature`` are those of open
    groups, null once deleted. ``doc`` is null where the object is exactly what the other columns
    say, as it is after a post: see `documents.MESSAGE_DOC`. The two indexes on ``server_id`` keep
    pages of 256 flat, whatever lies deleted in between."""
    messages = database.table("messages").create(
        {
            "id": "text",
            "room_id": _TEXT,
            "sender_id": _TEXT,
            "timestamp": _INT,
            "is_deleted": _ZERO,
            "server_id": "integer",
            "data": "text",
            "signature": "text",
            "doc": "text",
        },
        pk="id",
    )
    messages.create_index(["room_id", "timestamp", "id"])
    messages.create_index(["room_id", "server_id"], unique=True, where="server_id IS NOT NULL")
    messages.create_index(
        ["room_id", "server_id"],
        where="is_deleted = 0 AND server_id IS NOT NULL",
        name="messages_living",
    )
    messages.create_index(
        ["room_id", "sender_id", "timestamp"],
        where="server_id IS NOT NULL",
        name="messages_of_sender",
    )
    deletions = database.table("deletions").create(
        {"room_id": _TEXT, "id": _INT, "server_id": _INT}, pk=["room_id", "id"]
    )
    deletions.create_index(["room_id", "server_id"], unique=True)
    reactions = database.table("reactions").create(
        {
            "id": "text",
            "message_id": _TEXT,
            "user_id": _TEXT,
            "emoji": _TEXT,
            "timestamp": _INT,
            "doc": _TEXT,
        },
        pk="id",
        unique=[["message_id", "user_id", "emoji"]],
    )
    reactions.create_index(["message_id", "timestamp", "id"])
    attachments = database.table("attachments").create(
        {"id": "text", "message_id": _TEXT, "doc": _TEXT}, pk="id"
    )
    attachments.create_index(["message_id", "id"])


def _create_tokens(database: Database) -> None:
    """Claimed tokens are kept as SHA-256 of their text, pending ones in clear for ten minutes."""
    tokens = database.table("tokens").create(
        {"digest": "text", "room_id": _TEXT, "key": _TEXT, "claimed_at": _INT}, pk="digest"
    )
    tokens.create_index(["room_id", "key", "claimed_at"])
    tokens.create_index(["claimed_at"])
    pending = database.table("pending_tokens").create(
        {"id": "integer", "room_id": _TEXT, "key": _TEXT, "token": _TEXT, "made_at": _INT},
        pk="id",
    )
    pending.create_index(["room_id", "key", "made_at"])
    pending.create_index(["room_id", "made_at"])
    pending.create_index(["made_at"])


def _create_files(database: Database) -> None:
    """``state`` is ``writing`` or ``ready``; ``blob_trash`` names bytes whose row is gone."""
    files = database.table("files").create(
        {
            "id": "integer",
            "room_id": _TEXT,
            "uploader": _TEXT,
            "size": _INT,
            "uploaded_at": _INT,
            "state": _TEXT,
            "blob_key": _TEXT,
        },
        pk="id",
    )
    files.create_index(["room_id", "uploader"])
    files.create_index(["uploaded_at"])
    database.table("blob_trash").create({"blob_key": "text"}, pk="blob_key")
