"""Logging in: challenge, claim, and the end of tokens (open-group contract, 4)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

from builtin_plugins.rooms.access import Access, Caller, digest_of
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.names import Key
from builtin_plugins.rooms.spans import MINUTE_MS, span_ms
from plugin_sdk import Forbidden, NotFound, Row

__all__ = ["Logins"]

_TOKEN_BYTES: Final = 48
_MOST_PENDING: Final = 100_000
_BATCH: Final = 1000
_HEX: Final = re.compile(r"[0-9a-fA-F]+")

_PENDING: Final = """
    SELECT token, made_at FROM pending_tokens
    WHERE room_id = :room AND key = :key AND made_at > :oldest ORDER BY made_at DESC
"""
_DROP_OWN: Final = "DELETE FROM pending_tokens WHERE room_id = :room AND key = :key"
_COUNT: Final = """
    UPDATE open_groups SET pending_count = pending_count + :change WHERE id = :room
    RETURNING pending_count
"""
_DROP_OLDEST: Final = """
    DELETE FROM pending_tokens WHERE id IN (SELECT id FROM pending_tokens
    WHERE room_id = :room ORDER BY made_at, id LIMIT :surplus)
"""
_PRUNE_PENDING: Final = """
    DELETE FROM pending_tokens WHERE id IN
    (SELECT id FROM pending_tokens WHERE made_at <= :oldest ORDER BY made_at LIMIT :batch)
    RETURNING room_id
"""
_PRUNE_CLAIMED: Final = """
    DELETE FROM tokens WHERE digest IN
    (SELECT digest FROM tokens WHERE claimed_at <= :oldest ORDER BY claimed_at LIMIT :batch)
"""


class Logins:
    def __init__(self, core: Core, access: Access) -> None:
        self._core = core
        self._db = core.db
        self._clock = core.clock
        self._settings = core.settings
        self._access = access

    def challenge(self, room_id: str, key: Key) -> bytes:
        """The pending token for this key in this room: the newest one while it is younger than
        half of its life, else a new one. Raises NotFound."""
        return self._fresh(room_id, key) or self._make(room_id, key)

    def claim(self, room_id: str, key: Key, token: str) -> None:
        """Makes a pending token a claimed one, and the key a member. Raises Forbidden when it is
        no pending token of this key in this room, NotFound for a room that is gone."""
        now = self._clock.ms()
        with self._core.transaction():
            if not self._is_pending(self._pending(room_id, key), token):
                raise Forbidden("This is no token that waits to be claimed.")
            dropped = self._db.execute(_DROP_OWN, {"room": room_id, "key": key})
            self._count_pending(room_id, -dropped)
            self._db.table("tokens").insert(
                {"digest": digest_of(token), "room_id": room_id, "key": key, "claimed_at": now}
            )
            self._core.counts_changed(room_id)
            self._core.people.join(room_id, key, now)

    def end(self, caller: Caller) -> None:
        """Ends the token that was used, and no other."""
        with self._core.transaction():
            self._access.confirm(caller)
            self._db.table("tokens").delete(caller.digest)
            self._core.counts_changed(caller.room)

    def prune(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """Removes tokens whose time is over; returns how many."""
        removed = self._prune_claimed(go_on)
        while go_on():
            count = self._prune_pending()
            removed += count
            if count < _BATCH:
                break
        return removed

    # Inside

    def _fresh(self, room_id: str, key: Key) -> bytes | None:
        pending = self._pending(room_id, key)
        if pending and self._clock.ms() - pending[0]["made_at"] < self._life_ms() / 2:
            return bytes.fromhex(pending[0]["token"])
        return None

    def _make(self, room_id: str, key: Key) -> bytes:
        with self._core.transaction():
            made = self._fresh(room_id, key)  # by another thread in the meantime
            if made is not None:
                return made
            now = self._clock.ms()
            past = {"room": room_id, "key": key, "oldest": now - self._life_ms()}
            dropped = self._db.execute(_DROP_OWN + " AND made_at <= :oldest", past)
            count = self._count_pending(room_id, 1 - dropped)
            token = secrets.token_bytes(_TOKEN_BYTES)
            self._db.table("pending_tokens").insert(
                {"room_id": room_id, "key": key, "token": token.hex(), "made_at": now}
            )
            if count > _MOST_PENDING:
                surplus = {"room": room_id, "surplus": count - _MOST_PENDING}
                self._count_pending(room_id, -self._db.execute(_DROP_OLDEST, surplus))
            return token

    def _pending(self, room_id: str, key: Key) -> list[Row]:
        oldest = self._clock.ms() - self._life_ms()
        return self._db.query(_PENDING, {"room": room_id, "key": key, "oldest": oldest})

    def _is_pending(self, pending: list[Row], token: str) -> bool:
        if _HEX.fullmatch(token) is None:
            return False
        given = token.lower().encode()
        return any(hmac.compare_digest(row["token"].encode(), given) for row in pending)

    def _count_pending(self, room_id: str, change: int) -> int:
        count = self._db.value(_COUNT, {"room": room_id, "change": change})
        if count is None:
            raise NotFound("There is no such room.")
        return int(count)

    def _prune_pending(self) -> int:
        oldest = self._clock.ms() - self._life_ms()
        with self._core.transaction():
            rows = self._db.query(_PRUNE_PENDING, {"oldest": oldest, "batch": _BATCH})
            for room_id in {row["room_id"] for row in rows}:
                count = sum(row["room_id"] == room_id for row in rows)
                self._db.value(_COUNT, {"room": room_id, "change": -count})
        return len(rows)

    def _prune_claimed(self, go_on: Callable[[], bool]) -> int:
        removed = 0
        while go_on():
            oldest = self._clock.ms() - self._access.token_life_ms()
            count = self._db.execute(_PRUNE_CLAIMED, {"oldest": oldest, "batch": _BATCH})
            removed += count
            if count < _BATCH:
                break
        return removed

    def _life_ms(self) -> int:
        return span_ms(self._settings["pendingTokenMinutes"], MINUTE_MS)
