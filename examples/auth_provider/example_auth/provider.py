"""The provider: who may log in is in the settings, who is logged in is in the database."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from plugin_sdk import (
    ADMIN,
    AuthProvider,
    Context,
    Invalid,
    Login,
    Principal,
    Problem,
    RateLimited,
    Request,
    Unauthenticated,
)

from .passwords import DECOY, matches

__all__ = ["StaticAccounts"]

PREFIX: Final = "static_"
HOUR_MS: Final = 60 * 60 * 1000
MAX_FAILURES: Final = 10
WAIT_MS: Final = 15 * 60 * 1000
"""How long an account waits after that many wrong passwords in a row."""

User = Mapping[str, Any]


class StaticAccounts(AuthProvider):
    name: ClassVar = "static"

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._db = context.db
        self._tokens = context.db.table("tokens")
        self._failures = context.db.table("failures")

    def claims(self, body: Mapping[str, Any]) -> bool:
        return "account" in body and "password" in body

    def governs(self) -> bool:
        return any(ADMIN in user.get("permissions", ()) for user in self._settings["users"])

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        account, password = _text(body, "account", 64), _text(body, "password", 1024)
        user = self._user(account)
        if user is not None:
            self._count_attempt(account)
        if not matches(password, user["password"] if user else DECOY) or user is None:
            raise Unauthenticated("Wrong account or password.", code="INVALID_CREDENTIALS")
        return self._begin(user)

    def identify(self, token: str) -> Principal | None:
        if not token.startswith(PREFIX):
            return None
        row = self._tokens.get(_hash(token))
        if row is None or row["expires_at"] <= self._clock.ms():
            return None
        # The settings decide anew each time: who was taken out of them, or got another password,
        # is not signed in any more.
        user = self._user(row["account"])
        if user is None or row["password_mark"] != _hash(user["password"]):
            return None
        return self._principal(user)

    def logout(self, token: str) -> bool:
        live = self.identify(token) is not None
        return self._tokens.delete(_hash(token)) and live

    def _begin(self, user: User) -> Login:
        token, now = PREFIX + secrets.token_hex(20), self._clock.ms()
        expires_at = now + self._settings["sessionHours"] * HOUR_MS
        row = {
            "hash": _hash(token),
            "account": user["account"],
            "password_mark": _hash(user["password"]),
            "expires_at": expires_at,
        }
        with self._db.transaction():
            self._tokens.delete_where("expires_at <= :now", {"now": now})
            self._tokens.insert(row)
            self._failures.delete(user["account"])
        return Login(token, expires_at, self._principal(user))

    def _count_attempt(self, account: str) -> None:
        """Counts an attempt as failed before its password is looked at, so that many at once are
        not more than many in a row; a good one sets the count back."""
        now = self._clock.ms()
        with self._db.transaction():
            row = self._failures.get(account) or {"count": 0, "last_at": now}
            left = row["last_at"] + WAIT_MS - now
            count = row["count"] if left > 0 else 0
            if count >= MAX_FAILURES:
                raise RateLimited("Too many wrong passwords; try later.", retry_after=left / 1000)
            self._failures.upsert({"account": account, "count": count + 1, "last_at": now})

    def _user(self, account: str) -> User | None:
        users: list[User] = self._settings["users"]
        return next((user for user in users if user["account"] == account), None)

    def _principal(self, user: User) -> Principal:
        return Principal(
            id=f"static-{user['account']}",
            name=user.get("name", user["account"]),
            provider=self.name,
            permissions=frozenset(user.get("permissions", ())),
        )


def _text(body: Mapping[str, Any], name: str, longest: int) -> str:
    value = body.get(name)
    if isinstance(value, str) and 1 <= len(value) <= longest:
        return value
    problem = Problem(name, f"must be a text of 1 to {longest} characters")
    raise Invalid(f"{name} {problem.message}.", details=[problem])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
