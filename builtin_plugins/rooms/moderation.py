"""Deleting, banning, appointing, counting (open-group contract, 7 and 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from builtin_plugins.rooms.access import Access, Caller
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.files import trash_files
from builtin_plugins.rooms.names import Key
from plugin_sdk import Forbidden

__all__ = ["Moderation"]

_OF_AUTHOR: Final = """
    SELECT server_id FROM messages WHERE room_id = :room AND sender_id = :key
    AND server_id IS NOT NULL AND is_deleted = 0
"""
_COUNT: Final = """
    SELECT COUNT(DISTINCT key) AS number, MIN(claimed_at) AS oldest FROM tokens
    WHERE room_id = :room AND claimed_at > :dead
"""
_BANNED: Final = """
    SELECT COUNT(*) FROM (
        SELECT t.key FROM bans b JOIN tokens t ON t.room_id = b.room_id AND t.key = b.user_id
        WHERE b.room_id = :room AND (b.expires_at IS NULL OR b.expires_at > :now)
        AND t.claimed_at > :dead
        UNION SELECT t.key FROM bans b JOIN tokens t ON t.room_id = b.room_id AND t.key = b.oder_id
        WHERE b.room_id = :room AND (b.expires_at IS NULL OR b.expires_at > :now)
        AND t.claimed_at > :dead
    ) AS banned
"""
_NEXT_END: Final = """
    SELECT MIN(expires_at) FROM bans WHERE room_id = :room AND expires_at > :now
"""


@dataclass(frozen=True, slots=True)
class _Count:
    """A number of members, good from ``made`` to before ``until`` (milliseconds) while the
    room's ``counts_version`` and the life of tokens are the same."""

    number: int
    version: int
    life_ms: int
    made: int
    until: int | None


class Moderation:
    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._db = core.db
        self._access = access
        self._counts: dict[str, _Count] = {}

    def delete(self, caller: Caller, server_ids: Sequence[int]) -> None:
        """All of them or none: raises Forbidden when one is somebody else's and the caller does
        not moderate. Numbers without message are passed over."""
        core = self._core
        asked = set(server_ids)
        with core.transaction():
            last = self._access.confirm(caller).last_server_id
            wanted = sorted(number for number in asked if 0 < number <= last)
            if not core.roles.is_moderator(caller.room, caller.key):
                authors = core.deletions.authors(caller.room, wanted)
                if any(author != caller.key for author in authors):
                    raise Forbidden("Only the author or a moderator may delete a message.")
            core.deletions.delete(caller.room, wanted, caller.key)

    def appoint(self, caller: Caller, key: Key) -> None:
        """Makes the key a moderator."""
        with self._core.transaction():
            self._access.confirm(caller, moderator=True)
            self._core.roles.add(caller.room, key, caller.key)

    def dismiss(self, caller: Caller, key: Key) -> None:
        with self._core.transaction():
            self._access.confirm(caller, moderator=True)
            self._core.roles.remove(caller.room, key, caller.key)

    def ban(self, caller: Caller, key: Key, *, delete_all: bool = False) -> None:
        """Raises Forbidden for oneself and for moderators. ``delete_all`` takes the key's
        messages and files in this room too, in the same transaction."""
        core, room = self._core, caller.room
        with core.transaction():
            self._access.confirm(caller, moderator=True)
            if key == caller.key:
                raise Forbidden("You cannot ban yourself.")
            if core.roles.is_moderator(room, key):
                raise Forbidden("A moderator cannot be banned: dismiss them first.")
            core.bans.add(room, key, caller.key, core.clock.ms())
            if delete_all:
                numbers = self._db.values(_OF_AUTHOR, {"room": room, "key": key})
                core.deletions.delete(room, numbers, caller.key)
                trash_files(self._db, room, key)

    def unban(self, caller: Caller, key: Key) -> None:
        with self._core.transaction():
            self._access.confirm(caller, moderator=True)
            self._core.bans.remove(caller.room, key, caller.key)

    def member_count(self, caller: Caller) -> int:
        """Different keys with a live token that are not banned. Kept until something changes in
        the room, or a token or ban runs out: counting 100,000 tokens takes long."""
        now = self._core.clock.ms()
        life = self._access.token_life_ms()
        known = self._counts.get(caller.room)
        if (
            known is None
            or (known.version, known.life_ms) != (caller.counts_version, life)
            or now < known.made
            or (known.until is not None and now >= known.until)
        ):
            known = self._count(caller, now, life)
            self._counts[caller.room] = known
        return known.number

    def _count(self, caller: Caller, now: int, life: int) -> _Count:
        params = {"room": caller.room, "now": now}
        dead = now - life
        row = self._db.one(_COUNT, {"room": caller.room, "dead": dead})
        assert row is not None
        banned = self._db.value(_BANNED, {**params, "dead": dead})
        ends = [self._db.value(_NEXT_END, params)]
        if row["oldest"] is not None:
            ends.append(row["oldest"] + life)
        until = min((end for end in ends if end is not None), default=None)
        return _Count(row["number"] - banned, caller.counts_version, life, now, until)
