"""Reading pages of messages and deletions, and many rooms in one call (6.4, 7.3, 8).

Two integers of the room's row decide that there is nothing new, without a look at messages or
deletions. All answers are JSON texts, put together from texts that the database makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.rooms.access import Access, Caller, digest_of
from builtin_plugins.rooms.activity import Activity
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.names import json_integer
from plugin_sdk import Invalid, Logger, StageboxError

__all__ = ["MAX_PAGE", "Entry", "Pages", "Polling", "read_entries"]

MAX_PAGE: Final = 256
_MAX_ENTRIES: Final = 1000

# Base64, keys and integers need no escaping.
_MESSAGE: Final = """'{"server_id":' || CAST(server_id AS TEXT) || ',"public_key":"' || sender_id
    || '","timestamp":' || CAST(timestamp AS TEXT) || ',"data":"' || data
    || '","signature":"' || signature || '"}'"""
_LIVING: Final = "room_id = :room AND is_deleted = 0 AND server_id IS NOT NULL"
# ruff: noqa: S608  (constants only)
_MESSAGES_AFTER: Final = (
    f"SELECT {_MESSAGE} AS item FROM messages WHERE {_LIVING} AND server_id > :cursor"
    " ORDER BY server_id LIMIT :limit"
)
_NEWEST_MESSAGES: Final = (
    f"SELECT {_MESSAGE} AS item FROM messages WHERE {_LIVING} ORDER BY server_id DESC LIMIT :limit"
)
_DELETION: Final = """'{"id":' || CAST(id AS TEXT) || ',"deleted_message_id":'
    || CAST(server_id AS TEXT) || '}'"""
_DELETIONS_AFTER: Final = (
    f"SELECT {_DELETION} AS item FROM deletions WHERE room_id = :room AND id > :cursor"
    " ORDER BY id LIMIT :limit"
)
_NEWEST_DELETIONS: Final = (
    f"SELECT {_DELETION} AS item FROM deletions WHERE room_id = :room ORDER BY id DESC LIMIT :limit"
)


class Pages:
    """Lists as texts, their items joined by commas and without brackets. A cursor of None gives
    the newest, descending; any other number what is greater, ascending."""

    def __init__(self, core: Core) -> None:
        self._db = core.db

    def messages(self, room_id: str, cursor: int | None, limit: int = MAX_PAGE) -> str:
        return self._page(_MESSAGES_AFTER, _NEWEST_MESSAGES, room_id, cursor, limit)

    def deletions(self, room_id: str, cursor: int | None, limit: int = MAX_PAGE) -> str:
        return self._page(_DELETIONS_AFTER, _NEWEST_DELETIONS, room_id, cursor, limit)

    def _page(self, after: str, newest: str, room_id: str, cursor: int | None, limit: int) -> str:
        if cursor is None:
            items = self._db.values(newest, {"room": room_id, "limit": limit})
        else:
            items = self._db.values(after, {"room": room_id, "cursor": cursor, "limit": limit})
        return ",".join(items)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a client asks of one room; ``room`` may be any text at all."""

    room: str
    token: str
    message_cursor: int | None
    deletion_cursor: int | None


def read_entries(body: dict[str, Any]) -> list[Entry]:
    """The ``requests`` of a body. Raises Invalid."""
    requests = body.get("requests")
    if not isinstance(requests, list):
        raise Invalid("requests must be an array.")
    if len(requests) > _MAX_ENTRIES:
        raise Invalid(f"requests may have at most {_MAX_ENTRIES} entries.")
    return [_entry(each) for each in requests]


def _entry(value: Any) -> Entry:
    if not isinstance(value, dict):
        raise Invalid("Each of requests must be an object.")
    room, token = value.get("room_id"), value.get("auth_token")
    if not isinstance(room, str) or not isinstance(token, str):
        raise Invalid("Each of requests needs the texts room_id and auth_token.")
    return Entry(
        room,
        token,
        _cursor(value, "from_message_server_id"),
        _cursor(value, "from_deletion_server_id"),
    )


def _cursor(value: dict[str, Any], name: str) -> int | None:
    cursor = value.get(name)
    return None if cursor is None else json_integer(cursor, name)


class Polling:
    def __init__(
        self, core: Core, access: Access, pages: Pages, activity: Activity, log: Logger
    ) -> None:
        self._core = core
        self._access = access
        self._pages = pages
        self._activity = activity
        self._log = log

    def answers(self, entries: Sequence[Entry]) -> Iterator[str]:
        """The results as JSON texts, one for each entry, made while they are asked for; never
        raises an Exception."""
        digests = [digest_of(entry.token) for entry in entries]
        callers: Sequence[Caller | StageboxError | None] = [None] * len(entries)
        if len(entries) > 1:
            try:
                asked = [
                    (entry.room, digest) for entry, digest in zip(entries, digests, strict=True)
                ]
                callers = self._access.judge_many(asked)
            except StageboxError as error:
                self._log.error("A poll of several rooms failed; trying each.", exc_info=error)
        for each in zip(entries, digests, callers, strict=True):
            yield self._answer(*each)

    def _answer(self, entry: Entry, digest: str, caller: Caller | StageboxError | None) -> str:
        try:
            if isinstance(caller, StageboxError):
                raise caller
            return self._judged(entry, caller or self._access.judge(entry.room, digest))
        except StageboxError as error:
            if error.status in (401, 403, 404):
                return _failed(entry, error.status)
            self._log.error("A poll of room %r failed.", entry.room[:64], exc_info=error)
        except Exception:
            self._log.exception("A poll of room %r failed.", entry.room[:64])
        return _failed(entry, 500)

    def _judged(self, entry: Entry, caller: Caller) -> str:
        if _has_news(entry, caller):
            with self._core.db.snapshot():
                caller = self._access.judge(caller.room, caller.digest)
                result = self._result(entry, caller)
        else:
            result = self._succeeded(caller, "", "")
        self._activity.note(caller.room, caller.key, self._core.clock.ms())
        return result

    def _result(self, entry: Entry, caller: Caller) -> str:
        messages = deletions = ""
        if _is_behind(entry.message_cursor, caller.last_server_id):
            messages = self._pages.messages(caller.room, entry.message_cursor)
        if _is_behind(entry.deletion_cursor, caller.last_deletion_id):
            deletions = self._pages.deletions(caller.room, entry.deletion_cursor)
        return self._succeeded(caller, messages, deletions)

    def _succeeded(self, caller: Caller, messages: str, deletions: str) -> str:
        moderators = self._core.roles.moderators(caller.room, caller.roles_version).text
        return (
            f'{{"room_id":"{caller.room}","status_code":200,"deletions":[{deletions}]'
            f',"messages":[{messages}],"moderators":{moderators}}}'
        )


def _has_news(entry: Entry, caller: Caller) -> bool:
    return _is_behind(entry.message_cursor, caller.last_server_id) or _is_behind(
        entry.deletion_cursor, caller.last_deletion_id
    )


def _is_behind(cursor: int | None, last: int) -> bool:
    return last > 0 if cursor is None else cursor < last


def _failed(entry: Entry, status: int) -> str:
    room = json.dumps(entry.room)  # in ASCII: it may hold a lone surrogate
    return (
        f'{{"room_id":{room},"status_code":{status},"deletions":[],"messages":[],"moderators":[]}}'
    )
