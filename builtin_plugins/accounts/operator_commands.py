"""What the operator does at the command line, beside a server that may be running."""

from __future__ import annotations

from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.hashing import SecretHasher
from builtin_plugins.accounts.permissions import from_text, in_order
from builtin_plugins.accounts.profiles import ProfileStore
from builtin_plugins.accounts.shapes import PIN
from plugin_sdk import Clock, CommandIO, Database, NotFound, Row

__all__ = ["OperatorCommands"]


class OperatorCommands:
    """Looks after profiles without being one of them: whoever can run this owns the data."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hasher: SecretHasher,
        profiles: ProfileStore,
        freshness: Freshness,
    ) -> None:
        self._db = database
        self._clock = clock
        self._hasher = hasher
        self._profiles = profiles
        self._freshness = freshness

    def list(self, io: CommandIO) -> None:
        """One line for each profile: id, name, state, permissions."""
        for row in self._db.query(
            "SELECT id, name, locked, locked_until, granted FROM profiles ORDER BY id"
        ):
            granted = ", ".join(in_order(from_text(row["granted"]))) or "no permissions"
            io.print(f"{row['id']:>5}  {row['name']}  ({self._state(row)})  {granted}")

    def unlock(self, name: str) -> str:
        """Ends both kinds of lock. Returns the profile's name; raises NotFound."""
        with self._db.transaction():
            row = self._find(name)
            self._profiles.unlock(row["id"])
        return str(row["name"])

    def set_pin(self, name: str, pin: str) -> str:
        """Another PIN; ends locks and all sessions. Returns the profile's name; raises Invalid,
        NotFound."""
        checked = PIN.check({"pin": pin})["pin"]
        pin_hash = self._hasher.hash(checked)
        with self._freshness.changing():
            row = self._find(name)
            self._profiles.set_pin(row["id"], pin_hash, unlock=True)
        return str(row["name"])

    def _find(self, name: str) -> Row:
        row = self._profiles.by_name(name)
        if row is None:
            raise NotFound(f'There is no profile named "{name}"; see `stagebox accounts list`.')
        return row

    def _state(self, row: Row) -> str:
        if row["locked"]:
            return "locked by an administrator"
        until = row["locked_until"]
        if until is not None and self._clock.ms() < until:
            return f"locked until {self._clock.iso(until)}"
        return "open"
