"""What the groups grant each profile, and the rule that an administrator remains."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from builtin_plugins.accounts.batches import batches
from builtin_plugins.accounts.identities import PROVIDER
from builtin_plugins.accounts.permissions import from_text, to_text
from plugin_sdk import ADMIN, Conflict, Database, Forbidden, Principal, Unauthenticated

__all__ = ["Grants"]

_GRANTED: Final = (
    "SELECT m.profile_id, g.permission FROM group_members m "
    "JOIN group_permissions g ON g.group_id = m.group_id WHERE m.profile_id IN "
)
_USABLE_ADMIN: Final = """
    SELECT 1 FROM group_permissions g
    JOIN group_members m ON m.group_id = g.group_id
    JOIN profiles p ON p.id = m.profile_id
    WHERE g.permission = :admin AND NOT p.locked LIMIT 1
"""


class Grants:
    """Keeps ``profiles.granted`` in step with the groups. Changes belong into the transaction of
    what caused them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def refresh(self, profile_ids: Collection[int]) -> None:
        """Works out anew what these profiles are granted."""
        for listed, params in batches(profile_ids):
            granted: dict[int, list[str]] = {id: [] for id in params.values()}
            for row in self._db.query(_GRANTED + listed, params):
                granted[row["profile_id"]].append(row["permission"])
            self._db.executemany(
                "UPDATE profiles SET granted = :granted WHERE id = :id",
                [{"id": id, "granted": to_text(names)} for id, names in granted.items()],
            )

    def current(self, caller: Principal, needed: str) -> Principal:
        """The caller as of this transaction: of two who take each other's rights at once, the
        second has none any more. Raises Unauthenticated, or Forbidden when ``needed`` was lost."""
        if caller.provider != PROVIDER:
            return caller
        row = self._db.table("profiles").get(caller.profile_id)
        if row is None or row["locked"]:
            raise Unauthenticated
        now = replace(caller, permissions=from_text(row["granted"]))
        if caller.holds(needed) and not now.holds(needed):
            raise Forbidden(f"Missing permission: {needed}")
        return now

    def has_admin(self) -> bool:
        """Whether there is a usable administrator: a profile that no administrator locked, in a
        group with ADMIN."""
        return self._db.value(_USABLE_ADMIN, {"admin": ADMIN}) is not None

    def require_admin(self) -> None:
        """Raises Conflict (LAST_ADMIN), which undoes the transaction."""
        if not self.has_admin():
            raise Conflict(
                "Nobody could administer this host: at least one profile that is not locked must "
                "be in a group with ADMIN (the first one is made by the first run).",
                code="LAST_ADMIN",
            )
