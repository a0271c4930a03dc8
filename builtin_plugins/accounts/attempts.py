"""Attempts at a PIN or a recovery phrase, and the lock that too many of them bring (plugin
contract, 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, NoReturn, TypeVar

from builtin_plugins.accounts.hashing import DECOY, SecretHasher
from builtin_plugins.accounts.profiles import ProfileStore
from builtin_plugins.accounts.tables import UNKNOWN_NAMES
from plugin_sdk import Clock, Database, Row, Settings, Unauthenticated

__all__ = ["Attempts"]

_MINUTE_MS: Final = 60 * 1000

_Result = TypeVar("_Result")
Secret = Literal["pin_hash", "phrase_hash"]


class Attempts:
    """Judges attempts on one profile one after another, in the order of their transactions.

    The secret is compared before the transaction begins, so that nobody waits for Argon2 with the
    database's writer in his hand; inside, the verdict stands only if the stored secret is still
    the one that it was compared with. Of any number of wrong attempts at once exactly as many as
    may be are counted, and a right one behind them finds the profile locked.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        hasher: SecretHasher,
        profiles: ProfileStore,
    ) -> None:
        self._db = database
        self._clock = clock
        self._settings = settings
        self._hasher = hasher
        self._profiles = profiles

    def judge(
        self,
        name: str,
        kind: Secret,
        secret: str,
        finish: Callable[[Row, Any], _Result],
        *,
        prepare: Callable[[], Any] = lambda: None,
        admin_lock: bool = True,
        transaction: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> _Result:
        """What ``finish(profile's row, what prepare returned)`` makes of a right secret: called
        inside of the transaction that forgets earlier failures. ``prepare`` is for what takes
        long. ``admin_lock``: whether the lock of an administrator counts. ``transaction`` is
        another one than the database's own, where ``finish`` needs it.

        Raises Unauthenticated: INVALID_CREDENTIALS, alike for a wrong secret and an unknown name,
        or ACCOUNT_LOCKED."""
        judging = transaction or self._db.transaction
        while True:
            known = self._profiles.by_name(name)
            if known is None:
                self._refuse_unknown(secret)
            self._refuse_locked(known, admin_lock)
            stored = known[kind]
            right = self._hasher.matches(stored, secret)
            fresh = self._hasher.renewed(stored, secret) if right else None
            prepared = prepare() if right else None
            with judging():
                row = self._profiles.row(known["id"])
                if row is None or row[kind] != stored:
                    continue  # somebody was faster: begin anew
                self._refuse_locked(row, admin_lock)
                if right:
                    self._forgive(row)
                    if fresh is not None:
                        self._profiles.renew_hash(row["id"], kind, fresh)
                    return finish(row, prepared)
                self._count(row)
            raise _wrong()

    def _refuse_unknown(self, secret: str) -> NoReturn:
        """As much work as for a wrong secret: one run of Argon2 and one write."""
        self._hasher.matches(DECOY, secret)
        with self._db.transaction():
            self._db.execute(
                "UPDATE counters SET value = value + 1 WHERE name = :name", {"name": UNKNOWN_NAMES}
            )
        raise _wrong()

    def _refuse_locked(self, row: Row, admin_lock: bool) -> None:
        if admin_lock and row["locked"]:
            raise Unauthenticated("An administrator locked this profile.", code="ACCOUNT_LOCKED")
        until, now = row["locked_until"], self._clock.ms()
        if until is not None and now < until:
            raise Unauthenticated(
                "Too many wrong attempts: this profile is locked for a while.",
                code="ACCOUNT_LOCKED",
                retry_after=(until - now) / 1000,
            )

    def _forgive(self, row: Row) -> None:
        if row["failures"] or row["locked_until"] is not None:
            self._profiles.count_attempts(row["id"], 0, None)

    def _count(self, row: Row) -> None:
        ran_out = row["locked_until"] is not None
        failures = 1 if ran_out else row["failures"] + 1
        until = None
        if failures >= self._settings["lockAttempts"]:
            until = self._clock.ms() + self._settings["lockMinutes"] * _MINUTE_MS
        self._profiles.count_attempts(row["id"], failures, until)


def _wrong() -> Unauthenticated:
    return Unauthenticated(
        "This name and this secret do not belong together.", code="INVALID_CREDENTIALS"
    )
