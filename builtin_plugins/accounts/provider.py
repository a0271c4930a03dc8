"""Signing in with a profile's name and PIN: the auth provider (plugin contract, 2.2 to 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from builtin_plugins.accounts.attempts import Attempts
from builtin_plugins.accounts.grants import Grants
from builtin_plugins.accounts.identities import PROVIDER, Identities, principal_of
from builtin_plugins.accounts.peers import PeerLimit
from builtin_plugins.accounts.profiles import ProfileStore
from builtin_plugins.accounts.sessions import SessionStore
from builtin_plugins.accounts.shapes import LOGIN
from plugin_sdk import AuthProvider, Login, Principal, Request, Row

__all__ = ["ProfileLogin"]


class ProfileLogin(AuthProvider):
    """Knows the tokens of profile sessions."""

    name: ClassVar = PROVIDER

    def __init__(
        self,
        attempts: Attempts,
        profiles: ProfileStore,
        sessions: SessionStore,
        identities: Identities,
        grants: Grants,
        limit: PeerLimit,
    ) -> None:
        self._attempts = attempts
        self._profiles = profiles
        self._sessions = sessions
        self._identities = identities
        self._grants = grants
        self._limit = limit
        self._governs = False

    def claims(self, body: Mapping[str, Any]) -> bool:
        return "profileName" in body or "pin" in body

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        """Raises Invalid; Unauthenticated (INVALID_CREDENTIALS, ACCOUNT_LOCKED); RateLimited."""
        values = LOGIN.check(body)
        with self._limit.attempt(request):
            return self._attempts.judge(
                values["profileName"], "pin_hash", values["pin"], self._begin
            )

    def identify(self, token: str) -> Principal | None:
        return self._identities.who(token)

    def logout(self, token: str) -> bool:
        return self._sessions.end(token)

    def governs(self) -> bool:
        if not self._governs:  # once true it stays so, by the last-admin rule
            self._governs = self._grants.has_admin()
        return self._governs

    def _begin(self, row: Row, _prepared: object) -> Login:
        session = self._sessions.begin(row["id"])
        return Login(
            session.token,
            session.expires_at,
            principal_of(row),
            {"profile": self._profiles.get(row["id"])},
        )
