"""Sessions of profiles: tokens, kept as hashes (plugin contract, 2.2)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final

from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.hashing import token_hash
from plugin_sdk import Clock, Database, Row, Settings

__all__ = ["NewSession", "SessionStore", "is_token"]

_HOUR_MS: Final = 60 * 60 * 1000
_TOKEN_LENGTH: Final = 36


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that begins; times in milliseconds since the epoch."""

    token: str = field(repr=False)
    expires_at: int


class SessionStore:
    """One row for each session. A session is live while ``now < expires_at``."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, freshness: Freshness
    ) -> None:
        self._freshness = freshness
        self._table = database.table("sessions")
        self._clock = clock
        self._settings = settings

    def begin(self, profile_id: int) -> NewSession:
        """Call it in the transaction that judged the login."""
        token, now = str(uuid.uuid4()), self._clock.ms()
        expires_at = now + self._settings["sessionHours"] * _HOUR_MS
        self._table.insert(
            {
                "token_hash": token_hash(token),
                "profile_id": profile_id,
                "created_at": now,
                "expires_at": expires_at,
            }
        )
        return NewSession(token, expires_at)

    def of(self, token: str) -> Row | None:
        """``created_at`` and ``expires_at`` of a live token."""
        if not is_token(token):
            return None
        row = self._table.get(token_hash(token))
        return row if row is not None and row["expires_at"] > self._clock.ms() else None

    def end(self, token: str) -> bool:
        """Ends exactly this session; False when it was not a live one."""
        if not is_token(token):
            return False
        with self._freshness.changing():
            ended = self._table.delete_where(
                "token_hash = :hash AND expires_at > :now",
                {"hash": token_hash(token), "now": self._clock.ms()},
            )
        return ended > 0

    def end_all(self, profile_id: int, *, but: str | None = None) -> None:
        """Ends all sessions of a profile; the one of the token ``but`` goes on. Inside of
        `Freshness.changing`."""
        kept = token_hash(but) if but is not None and is_token(but) else ""
        self._table.delete_where(
            "profile_id = :id AND token_hash <> :kept", {"id": profile_id, "kept": kept}
        )

    def sweep(self) -> int:
        """Removes what has expired; returns how many."""
        return self._table.delete_where("expires_at <= :now", {"now": self._clock.ms()})


def is_token(token: str) -> bool:
    """Whether it can be one of ours: those of other providers cost no query."""
    return len(token) == _TOKEN_LENGTH and token.isascii()
