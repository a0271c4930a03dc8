"""The reading half of the service ``rooms.store`` (local REST contract, 5 and 7.3).

Each list comes in two forms: as objects for plugins, and as the finished JSON texts that lie in
the database, which the routes join by commas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from operator import itemgetter
from typing import Any, Final

from builtin_plugins.rooms.documents import MESSAGE_DOC, dump
from builtin_plugins.rooms.local.numbers import MAX_INTEGER
from plugin_sdk import Clock, Database, Row

__all__ = ["Readers", "storable"]

# ruff: noqa: S608  (constants only)
_ROOMS: Final = "SELECT doc FROM rooms ORDER BY name, id"
_ROOM: Final = "SELECT doc FROM rooms WHERE id = :id"
_MEMBERS: Final = """
    SELECT users.doc, members.role, members.joined_at, members.last_seen_at
    FROM members JOIN users ON users.id = members.user_id
    WHERE members.room_id = :room ORDER BY users.display_name, users.id
"""
# The rows that are passed over are walked in the index alone: room_id, timestamp, id.
_PAGE: Final = """
    SELECT {doc} AS doc FROM messages WHERE id IN (
        SELECT id FROM messages WHERE room_id = :room
        ORDER BY timestamp {way}, id {way} LIMIT :limit OFFSET :offset
    ) ORDER BY timestamp {way}, id {way}
"""
_ASCENDING: Final = _PAGE.format(doc=MESSAGE_DOC, way="ASC")
_DESCENDING: Final = _PAGE.format(doc=MESSAGE_DOC, way="DESC")
_SINCE: Final = f"""
    SELECT {MESSAGE_DOC} AS doc FROM messages
    WHERE room_id = :room AND timestamp > :since ORDER BY timestamp, id
"""
_MESSAGE: Final = f"SELECT {MESSAGE_DOC} AS doc FROM messages WHERE id = :id"
_REACTIONS: Final = "SELECT doc FROM reactions WHERE message_id = :id ORDER BY timestamp, id"
_ATTACHMENTS: Final = "SELECT doc FROM attachments WHERE message_id = :id ORDER BY id"
_ALL_ATTACHMENTS: Final = """
    SELECT attachments.doc FROM attachments
    LEFT JOIN messages ON messages.id = attachments.message_id
    ORDER BY messages.timestamp IS NULL, messages.timestamp, attachments.id
"""
_ACTIVE: Final = "(expires_at IS NULL OR expires_at > :now)"
_BANS: Final = f"""
    SELECT doc FROM bans WHERE room_id = :room AND {_ACTIVE} ORDER BY timestamp, user_id
"""
_USER: Final = "SELECT doc FROM users WHERE id = :id"
_USER_BY_ODER_ID: Final = "SELECT doc FROM users WHERE oder_id = :id"
_NAMES: Final = """
    SELECT id, oder_id FROM users WHERE id = :id
    UNION ALL SELECT id, oder_id FROM users WHERE oder_id = :id
"""
_MOST_NAMES: Final = 4  # the text, and what two users can add to it
_IN: Final = ", ".join(f":n{number}" for number in range(_MOST_NAMES))
_IS_BANNED: Final = f"""
    SELECT 1 FROM bans WHERE room_id = :room AND user_id IN ({_IN}) AND {_ACTIVE}
    UNION ALL
    SELECT 1 FROM bans WHERE room_id = :room AND oder_id IN ({_IN}) AND {_ACTIVE}
"""
_LAID_OVER: Final = {"role": "role", "joined_at": "joinedAt", "last_seen_at": "lastSeenAt"}


def storable(*texts: str) -> bool:
    """Whether a database can hold these texts at all: no U+0000, no lone surrogate. What it
    cannot hold names nothing."""
    return not any(
        "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text))
        for text in texts
    )


class Readers:
    """Texts are ordered code point by code point. What is unknown is None or an empty list."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    # For plugins: objects

    def rooms(self) -> list[dict[str, Any]]:
        """By name, then id."""
        return _objects(self.room_texts())

    def room(self, id: str) -> dict[str, Any] | None:
        return _object(self.room_text(id))

    def room_users(self, id: str) -> list[dict[str, Any]]:
        """Users by display name, then id; role and times of the membership laid over."""
        return _objects(self.member_texts(id))

    def messages(
        self, room_id: str, limit: int, offset: int, descending: bool = False
    ) -> list[dict[str, Any]]:
        """By timestamp, then id."""
        return _objects(self.message_texts(room_id, limit, offset, descending))

    def messages_since(self, room_id: str, ts: int) -> list[dict[str, Any]]:
        """Those with a greater timestamp, all of them."""
        return _objects(self.texts_since(room_id, ts))

    def message(self, id: str) -> dict[str, Any] | None:
        return _object(self.message_text(id))

    def reactions(self, message_id: str) -> list[dict[str, Any]]:
        """By timestamp, then id."""
        return _objects(self.reaction_texts(message_id))

    def attachments(self, message_id: str | None = None) -> list[dict[str, Any]]:
        """Of a message by id; or all, by the time of their message, then id."""
        if message_id is None:
            return _objects(self.all_attachment_texts())
        return _objects(self.attachment_texts(message_id))

    def active_bans(self, room_id: str) -> list[dict[str, Any]]:
        """By timestamp, then user id."""
        return _objects(self.ban_texts(room_id))

    def user(self, id: str) -> dict[str, Any] | None:
        """By ``id``; if there is none, by ``oderId``."""
        return _object(self.user_text(id))

    def is_banned(self, room_id: str, user_id: str) -> bool:
        """By the name given, and by both names of the user that has it (5.3)."""
        if not storable(room_id, user_id):
            return False
        names = {user_id: None}
        for row in self._db.query(_NAMES, {"id": user_id}):
            names |= {row["id"]: None, row["oder_id"]: None}
        given = [*names, *[user_id] * _MOST_NAMES][:_MOST_NAMES]
        params = {f"n{number}": name for number, name in enumerate(given)}
        found = self._db.value(_IS_BANNED, {"room": room_id, "now": self._clock.ms(), **params})
        return found is not None

    # For the routes: finished texts; what may be long is read in constant memory

    def room_texts(self) -> Iterator[str]:
        return self._stream(_ROOMS)

    def room_text(self, id: str) -> str | None:
        return self._text(_ROOM, id)

    def member_texts(self, room_id: str) -> Iterator[str]:
        return self._stream(_MEMBERS, {"room": room_id}, _laid_over)

    def message_texts(
        self, room_id: str, limit: int, offset: int, descending: bool = False
    ) -> list[str]:
        if offset >= MAX_INTEGER or not storable(room_id):
            return []
        params = {"room": room_id, "limit": limit, "offset": offset}
        return self._texts(_DESCENDING if descending else _ASCENDING, params)

    def texts_since(self, room_id: str, ts: int) -> Iterator[str]:
        if ts >= MAX_INTEGER:
            return iter(())
        return self._stream(_SINCE, {"room": room_id, "since": max(ts, -1)})

    def message_text(self, id: str) -> str | None:
        return self._text(_MESSAGE, id)

    def reaction_texts(self, message_id: str) -> list[str]:
        return self._texts(_REACTIONS, {"id": message_id}) if storable(message_id) else []

    def attachment_texts(self, message_id: str) -> list[str]:
        return self._texts(_ATTACHMENTS, {"id": message_id}) if storable(message_id) else []

    def all_attachment_texts(self) -> Iterator[str]:
        return self._stream(_ALL_ATTACHMENTS)

    def ban_texts(self, room_id: str) -> Iterator[str]:
        return self._stream(_BANS, {"room": room_id, "now": self._clock.ms()})

    def user_text(self, id: str) -> str | None:
        return self._text(_USER, id) or self._text(_USER_BY_ODER_ID, id)

    def _texts(self, sql: str, params: dict[str, Any] | None = None) -> list[str]:
        return self._db.values(sql, params)

    def _stream(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        text: Callable[[Row], str] = itemgetter("doc"),
    ) -> Iterator[str]:
        """A generator over one state of the data; close it soon."""
        if params is not None and not storable(str(params.get("room", ""))):
            return
        rows: Any = self._db.iterate(sql, params)
        with closing(rows):
            for row in rows:
                yield text(row)

    def _text(self, sql: str, id: str) -> str | None:
        text: str | None = self._db.value(sql, {"id": id}) if storable(id) else None
        return text


def _object(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _objects(texts: Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def _laid_over(row: Row) -> str:
    """The user's text with what the membership says; written at its end unless the user has a
    member of that name."""
    text: str = row["doc"]
    over = {name: row[key] for key, name in _LAID_OVER.items() if row[key] is not None}
    if not over:
        return text
    if any(f'"{name}"' in text for name in over):
        return dump({**json.loads(text), **over})
    return f"{text[:-1]},{dump(over)[1:]}"
