"""Who may call: room, token, ban, role, in this order (open-group contract, 2.3)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.rooms.activity import Activity
from builtin_plugins.rooms.bodies import header
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.names import Key, is_room_id
from builtin_plugins.rooms.spans import DAY_MS, span_ms
from plugin_sdk import (
    Forbidden,
    Invalid,
    NotFound,
    Request,
    Row,
    StageboxError,
    Unauthenticated,
)

__all__ = [
    "Access",
    "Caller",
    "digest_of",
    "room_token",
    "unauthenticated",
    "unknown_room",
]

_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_BANNED: Final = """EXISTS (SELECT 1 FROM bans b WHERE b.room_id = g.id AND b.{column} = t.key
    AND (b.expires_at IS NULL OR b.expires_at > :now))"""
_COLUMNS: Final = f"""
    g.last_server_id, g.last_deletion_id, g.roles_version, g.counts_version, t.key, t.claimed_at,
    {_BANNED.format(column="user_id")} OR {_BANNED.format(column="oder_id")} AS banned
"""
# ruff: noqa: S608  (constants only)
_LOOK: Final = f"""
    SELECT {_COLUMNS}
    FROM open_groups g LEFT JOIN tokens t ON t.digest = :digest AND t.room_id = g.id
    WHERE g.id = :room
"""
_TOGETHER: Final = 16
"""Rooms that are looked at in one statement; fewer are filled up, so that it stays the same."""
_ASKED: Final = ", ".join(f"({at}, :room{at}, :digest{at})" for at in range(_TOGETHER))
_LOOK_MANY: Final = f"""
    WITH asked (at, room, digest) AS (VALUES {_ASKED})
    SELECT asked.at, {_COLUMNS}
    FROM asked JOIN open_groups g ON g.id = asked.room
    LEFT JOIN tokens t ON t.digest = asked.digest AND t.room_id = g.id
"""


def digest_of(token: str) -> str:
    """How a claimed token is kept; "" for what is no token."""
    if not token or _HEX.fullmatch(token) is None:
        return ""
    return hashlib.sha256(token.lower().encode()).hexdigest()


def room_token(request: Request) -> str:
    """The bare header Authorization, "" without one."""
    return header(request, "authorization") or ""


def unknown_room() -> NotFound:
    return NotFound("There is no such room.")


def unauthenticated() -> Unauthenticated:
    """Its code keeps the host from sending WWW-Authenticate: room tokens are no scheme of
    HTTP."""
    return Unauthenticated("The token is not valid for this room: log in again.", code="ROOM_TOKEN")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a live token of a room that does not ban them. The counters are those of the
    moment at which they were looked at."""

    room: str
    key: Key
    digest: str
    last_server_id: int
    last_deletion_id: int
    roles_version: int
    counts_version: int


class Access:
    def __init__(self, core: Core, activity: Activity) -> None:
        self._core = core
        self._db = core.db
        self._clock = core.clock
        self._settings = core.settings
        self._activity = activity

    def judge(self, room_id: str, digest: str) -> Caller:
        """One look at room, token and bans. Raises NotFound, Unauthenticated, Forbidden."""
        if not is_room_id(room_id):
            raise unknown_room()
        params = {"room": room_id, "digest": digest, "now": self._clock.ms()}
        return self._judged(room_id, digest, self._db.one(_LOOK, params))

    def judge_many(self, asked: Sequence[tuple[str, str]]) -> list[Caller | StageboxError]:
        """As `judge` for pairs of room and digest, in few statements; what `judge` would raise
        stands in the list."""
        rows: dict[int, Row] = {}
        for start in range(0, len(asked), _TOGETHER):
            params: dict[str, Any] = {"now": self._clock.ms()}
            for at in range(_TOGETHER):
                room, digest = asked[start + at] if start + at < len(asked) else ("", "")
                params[f"room{at}"] = room if is_room_id(room) else ""
                params[f"digest{at}"] = digest
            rows |= {start + row["at"]: row for row in self._db.query(_LOOK_MANY, params)}
        return [
            self._verdict(room, digest, rows.get(at)) for at, (room, digest) in enumerate(asked)
        ]

    def _verdict(self, room_id: str, digest: str, row: Row | None) -> Caller | StageboxError:
        try:
            return self._judged(room_id, digest, row)
        except (NotFound, Unauthenticated, Forbidden) as refusal:
            return refusal

    def _judged(self, room_id: str, digest: str, row: Row | None) -> Caller:
        if row is None:
            raise unknown_room()
        key = row["key"]
        if key is None or self._clock.ms() >= row["claimed_at"] + self.token_life_ms():
            raise unauthenticated()
        if row["banned"]:
            raise Forbidden("You are banned from this room.")
        return Caller(
            room_id,
            key,
            digest,
            row["last_server_id"],
            row["last_deletion_id"],
            row["roles_version"],
            row["counts_version"],
        )

    def member(self, request: Request, room_id: str | None = None) -> Caller:
        """The caller in the room of the path, or in that of the header Room. Raises Invalid
        besides."""
        return self.judge(room_id or header_room(request), digest_of(room_token(request)))

    def moderator(self, request: Request, room_id: str | None = None) -> Caller:
        """As `member`; raises Forbidden for those who do not moderate the room."""
        caller = self.member(request, room_id)
        if not self.moderates(caller):
            raise _not_moderator()
        return caller

    def moderates(self, caller: Caller) -> bool:
        known = self._core.roles.moderators(caller.room, caller.roles_version)
        return caller.key in known.keys

    def seen(self, caller: Caller) -> None:
        """To be told of each call that succeeded: it counts as activity (12.3)."""
        self._activity.note(caller.room, caller.key, self._clock.ms())

    def confirm(self, caller: Caller, *, moderator: bool = False) -> Caller:
        """Judges once more, inside of the transaction that acts: what others have done in the
        meantime counts."""
        again = self.judge(caller.room, caller.digest)
        if moderator and not self._core.roles.is_moderator(caller.room, caller.key):
            raise _not_moderator()
        return again

    def room(self, request: Request) -> str:
        """The room of the header Room. Raises Invalid, NotFound."""
        room_id = header_room(request)
        if not self._core.groups.exists(room_id):
            raise unknown_room()
        return room_id

    def token_life_ms(self) -> int:
        return span_ms(self._settings["tokenLifetimeDays"], DAY_MS)


def header_room(request: Request) -> str:
    """Raises Invalid when the header is missing or empty."""
    room_id = header(request, "room")
    if not room_id:
        raise Invalid("The header Room must name a room.")
    return room_id


def _not_moderator() -> Forbidden:
    return Forbidden("Only moderators of this room may do this.")
