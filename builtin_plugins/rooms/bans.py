"""Bans of keys in open groups (open-group contract, 9.4 to 9.7 and 12.1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.groups import OpenGroups
from builtin_plugins.rooms.names import Key, is_key
from builtin_plugins.rooms.writing import Writing
from plugin_sdk import Clock, Database

__all__ = ["Bans"]

_END_OF_TIME: Final = 2**53
"""Only bans that never end are active then."""
_ACTIVE: Final = "(expires_at IS NULL OR expires_at > :now)"
# ruff: noqa: S608  (constants only)
_IS_BANNED: Final = (
    f"SELECT 1 FROM bans WHERE room_id = :room AND user_id = :key AND {_ACTIVE}"
    f" UNION ALL SELECT 1 FROM bans WHERE room_id = :room AND oder_id = :key AND {_ACTIVE}"
)
_LIST: Final = f"SELECT user_id, oder_id FROM bans WHERE room_id = :room AND {_ACTIVE}"
_ROWS: Final = """
    SELECT user_id FROM bans WHERE room_id = :room AND user_id = :key
    UNION SELECT user_id FROM bans WHERE room_id = :room AND oder_id = :key
"""


class Bans:
    def __init__(
        self, database: Database, groups: OpenGroups, writing: Writing, clock: Clock
    ) -> None:
        self._db = database
        self._clock = clock
        self._groups = groups
        self._writing = writing

    def active(self, room_id: str, now: int) -> list[str]:
        """All keys that are banned at this moment, sorted."""
        rows = self._db.query(_LIST, {"room": room_id, "now": now})
        names = {name for row in rows for name in (row["user_id"], row["oder_id"])}
        return sorted(name for name in names if is_key(name))

    def is_banned(self, room_id: str, key: str, now: int) -> bool:
        params = {"room": room_id, "key": key, "now": now}
        return self._db.value(_IS_BANNED, params) is not None

    def add(self, room_id: str, key: Key, by: str, now: int) -> bool:
        """Bans for good; what ends some day does not end any more. False when nothing changes.
        In a transaction."""
        if self.is_banned(room_id, key, _END_OF_TIME):
            return False
        before = self.is_banned(room_id, key, now)
        old = self._db.table("bans").get((room_id, key)) if before else None
        doc: dict[str, Any] = {
            **(json.loads(old["doc"]) if old else {}),  # a ban that has ended gives way
            "roomId": room_id,
            "userId": key,
            "bannedBy": by,
            "expiresAt": None,
            "timestamp": now,
        }
        row = {"room_id": room_id, "user_id": key, "timestamp": now, "doc": dump(doc)}
        oder_id = old["oder_id"] if old else None
        self._db.table("bans").upsert({**row, "oder_id": oder_id, "expires_at": None})
        self._writing.saved("ban", f"{room_id}/{key}", doc)
        self._groups.counts_changed(room_id)
        if not before:
            self._writing.tell("rooms.banned", {"room": room_id, "key": key, "by": by})
        return True

    @contextmanager
    def followed(self, room_id: str, names: Iterable[str | None], by: str) -> Iterator[None]:
        """Tells who of these is banned after what is done inside, and was not before, and the
        other way round; nothing outside of open groups. In a transaction."""
        now = self._clock.ms()
        public = self._groups.exists(room_id)
        keys = (
            sorted({name for name in names if name is not None and is_key(name)}) if public else []
        )
        before = {key: self.is_banned(room_id, key, now) for key in keys}
        yield
        for key in keys:
            banned = self.is_banned(room_id, key, now)
            if banned != before[key]:
                name = "rooms.banned" if banned else "rooms.unbanned"
                self._writing.tell(name, {"room": room_id, "key": key, "by": by})

    def remove(self, room_id: str, key: Key, by: str) -> bool:
        """Removes every ban that names the key. False when there was none. In a transaction."""
        rows = self._db.query(_ROWS, {"room": room_id, "key": key})
        for row in rows:
            self._db.table("bans").delete((room_id, row["user_id"]))
            self._writing.removed("ban", f"{room_id}/{row['user_id']}")
        if rows:
            self._groups.counts_changed(room_id)
            self._writing.tell("rooms.unbanned", {"room": room_id, "key": key, "by": by})
        return bool(rows)
