"""A forgotten PIN: the recovery phrase sets another one (plugin contract, 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.accounts.attempts import Attempts
from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.hashing import SecretHasher
from builtin_plugins.accounts.profiles import ProfileStore
from plugin_sdk import Row

__all__ = ["Recovery"]


class Recovery:
    """Shares the counter of attempts with the login. The lock of an administrator neither keeps
    anybody from recovering nor goes away by it."""

    def __init__(
        self,
        attempts: Attempts,
        hasher: SecretHasher,
        profiles: ProfileStore,
        freshness: Freshness,
    ) -> None:
        self._attempts = attempts
        self._freshness = freshness
        self._hasher = hasher
        self._profiles = profiles

    def recover(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The profile, now with the new PIN and without sessions. Raises Unauthenticated."""
        return self._attempts.judge(
            values["name"],
            "phrase_hash",
            values["recoveryPhrase"],
            self._finish,
            prepare=lambda: self._hasher.hash(values["newPin"]),
            admin_lock=False,
            transaction=self._freshness.changing,
        )

    def _finish(self, row: Row, pin_hash: str) -> dict[str, Any]:
        self._profiles.set_pin(row["id"], pin_hash, unlock=False)
        return self._profiles.get(row["id"])
