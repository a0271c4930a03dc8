"""Who stands behind a token: asked once for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.hashing import token_hash
from builtin_plugins.accounts.permissions import from_text
from builtin_plugins.accounts.sessions import is_token
from plugin_sdk import Clock, Database, Principal, Row

__all__ = ["PROVIDER", "Identities", "principal_of"]

PROVIDER: Final = "accounts"
"""The name of the auth provider."""

_MAX_REMEMBERED: Final = 20_000
_MAX_AGE_SECONDS: Final = 1.0

# All that a request needs to know, by two primary keys.
_WHO: Final = """
    SELECT p.id, p.name, p.granted, s.expires_at
    FROM sessions s JOIN profiles p ON p.id = s.profile_id
    WHERE s.token_hash = :hash AND s.expires_at > :now AND NOT p.locked
"""


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    expires_at: int
    number: int
    read_at: float


class Identities:
    """Live sessions, remembered for as long as nothing was revoked.

    Only those who were found are remembered, so that a new session needs no notice. A second is
    the longest, lest a process that is killed between its commit and its notice leaves something
    behind. ``now`` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        freshness: Freshness,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = database
        self._clock = clock
        self._freshness = freshness
        self._now = now
        self._known: dict[str, _Remembered] = {}

    def who(self, token: str) -> Principal | None:
        """The principal behind a live token, with the permissions of this moment."""
        if not is_token(token):
            return None
        key, number, ms = token_hash(token), self._freshness.number, self._clock.ms()
        known = self._known.get(key)
        if (
            known is not None
            and known.number == number
            and ms < known.expires_at
            and self._now() - known.read_at < _MAX_AGE_SECONDS
        ):
            return known.principal
        return self._read(key, number, ms)

    def _read(self, key: str, number: int | None, ms: int) -> Principal | None:
        read_at = self._now()
        row = self._db.one(_WHO, {"hash": key, "now": ms})
        if row is None:
            self._known.pop(key, None)
            return None
        principal = principal_of(row)
        if number is not None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = _Remembered(principal, row["expires_at"], number, read_at)
        return principal


def principal_of(row: Row) -> Principal:
    """From ``id``, ``name`` and ``granted`` of a profile."""
    return Principal(
        id=f"profile-{row['id']}",
        name=row["name"],
        provider=PROVIDER,
        profile_id=row["id"],
        permissions=from_text(row["granted"]),
    )
