"""Profiles: the people of this host (plugin contract, 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.accounts.batches import batches
from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.grants import Grants
from builtin_plugins.accounts.hashing import SecretHasher
from builtin_plugins.accounts.names import name_key
from builtin_plugins.accounts.permissions import from_text
from builtin_plugins.accounts.sessions import SessionStore
from plugin_sdk import (
    ADMIN,
    Clock,
    Conflict,
    Database,
    Events,
    Forbidden,
    NotFound,
    Principal,
    Row,
)

__all__ = ["MANAGE_PROFILES", "HashedSecrets", "ProfileNames", "ProfileStore"]

MANAGE_PROFILES: Final = "MANAGE_PROFILES"

_MAX_ID: Final = 2**63 - 1
_SAFE: Final = "id, name, avatar_id, phrase_hint, locked, settings, created_at, updated_at"
_PLAIN_COLUMNS: Final = {
    "recoveryPhraseHint": "phrase_hint",
    "avatarId": "avatar_id",
    "locked": "locked",
    "profileSettings": "settings",
}
_UNCOUNTED: Final = {"failures": 0, "locked_until": None}


@dataclass(frozen=True, slots=True)
class HashedSecrets:
    """PHC strings of a PIN and a recovery phrase; made before a transaction begins, since that
    takes long."""

    pin: str
    phrase: str


class ProfileNames:
    """The service ``accounts.profiles``: what other plugins may know of profiles."""

    def __init__(self, profiles: ProfileStore) -> None:
        self._profiles = profiles

    def name(self, profile_id: int) -> str | None:
        """A profile's name now; None when there is no such profile."""
        return self._profiles.name(profile_id) if 0 < profile_id <= _MAX_ID else None


class ProfileStore:
    """Reads and writes profiles. What it returns is the safe profile of section 3.1: nothing
    about PIN, phrase or attempts. Values that come in are checked already."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        events: Events,
        hasher: SecretHasher,
        sessions: SessionStore,
        grants: Grants,
        freshness: Freshness,
    ) -> None:
        self._db = database
        self._table = database.table("profiles")
        self._clock = clock
        self._events = events
        self._hasher = hasher
        self._sessions = sessions
        self._grants = grants
        self._freshness = freshness

    def count(self) -> int:
        return self._table.count_where()

    def all(self) -> list[dict[str, Any]]:
        """By id."""
        rows = self._table.rows_where(select=_SAFE, order_by="id")
        return [self._as_json(row) for row in rows]

    def find(self, profile_id: int) -> dict[str, Any] | None:
        rows = self._table.rows_where("id = :id", {"id": profile_id}, select=_SAFE)
        return self._as_json(rows[0]) if rows else None

    def name(self, profile_id: int) -> str | None:
        return self._db.value("SELECT name FROM profiles WHERE id = :id", {"id": profile_id})  # type: ignore[no-any-return]

    def get(self, profile_id: int) -> dict[str, Any]:
        """Raises NotFound."""
        found = self.find(profile_id)
        if found is None:
            raise _no_such_profile(profile_id)
        return found

    def by_name(self, name: str) -> Row | None:
        """The whole row, secrets' hashes included: for whoever judges an attempt."""
        return self._db.one("SELECT * FROM profiles WHERE name_key = :key", {"key": name_key(name)})

    def row(self, profile_id: int) -> Row | None:
        """As `by_name`."""
        return self._table.get(profile_id)

    def missing(self, profile_ids: Sequence[int]) -> list[int]:
        """The positions of ids that no profile has."""
        storable = {id for id in profile_ids if 0 < id <= _MAX_ID}
        known: set[int] = set()
        for listed, params in batches(storable):
            rows = self._table.rows_where(f"id IN {listed}", params, select="id")
            known.update(row["id"] for row in rows)
        return [index for index, id in enumerate(profile_ids) if id not in known]

    # Writing

    def hashed(self, values: Mapping[str, Any]) -> HashedSecrets:
        """The secrets of a new profile."""
        return HashedSecrets(
            self._hasher.hash(values["pin"]), self._hasher.hash(values["recoveryPhrase"])
        )

    def create(self, values: Mapping[str, Any], caller: Principal) -> dict[str, Any]:
        """A profile without any permission. Raises Conflict for a name that is taken."""
        secrets = self.hashed(values)
        with self._db.transaction():
            self._grants.current(caller, MANAGE_PROFILES)
            created = self.insert(values, secrets)
            self._grants.require_admin()
        return created

    def insert(self, values: Mapping[str, Any], secrets: HashedSecrets) -> dict[str, Any]:
        """As `create`, inside of a transaction that has more to do."""
        now = self._clock.ms()
        key = self._free_key(values["name"], None)
        profile_id = self._table.insert(
            {
                "name": values["name"],
                "name_key": key,
                "pin_hash": secrets.pin,
                "phrase_hash": secrets.phrase,
                "phrase_hint": values.get("recoveryPhraseHint", ""),
                "avatar_id": values.get("avatarId"),
                "settings": {},
                "created_at": now,
                "updated_at": now,
            }
        )
        self._tell("created", profile_id)
        return self.get(profile_id)

    def refuse_above(self, profile_id: int, caller: Principal) -> None:
        """Raises Forbidden when the profile holds ADMIN and the caller does not."""
        row = self._table.get(profile_id)
        if row is not None:
            _refuse_above(row, caller)

    def change(
        self,
        profile_id: int,
        changes: Mapping[str, Any],
        caller: Principal,
        *,
        token: str | None = None,
    ) -> dict[str, Any]:
        """Changes what is named, and ends the sessions that must not go on: all but the one of
        ``token`` for a new PIN, all for a lock.

        Raises NotFound; Forbidden (see `refuse_above`); Conflict for a name that is taken, or
        with code LAST_ADMIN."""
        columns = {_PLAIN_COLUMNS[name]: changes[name] for name in _PLAIN_COLUMNS.keys() & changes}
        if "pin" in changes:
            columns |= {"pin_hash": self._hasher.hash(changes["pin"]), **_UNCOUNTED}
        if "recoveryPhrase" in changes:
            columns["phrase_hash"] = self._hasher.hash(changes["recoveryPhrase"])
        if changes.get("locked") is False:
            columns |= _UNCOUNTED
        with self._freshness.changing():
            caller = self._grants.current(caller, MANAGE_PROFILES)
            row = self._table.get(profile_id)
            if row is None:
                raise _no_such_profile(profile_id)
            _refuse_above(row, caller)
            if "name" in changes:
                columns["name"] = changes["name"]
                columns["name_key"] = self._free_key(changes["name"], profile_id)
            if columns:
                self.update(profile_id, columns)
            if "pin" in changes:
                self._sessions.end_all(profile_id, but=token)
            if changes.get("locked"):
                self._sessions.end_all(profile_id)
                self._grants.require_admin()
            return self.get(profile_id)

    def update(self, profile_id: int, columns: Mapping[str, Any]) -> None:
        """Writes columns as they are, and tells of it; inside of a transaction."""
        self._table.update(profile_id, {**columns, "updated_at": self._clock.ms()})
        self._tell("updated", profile_id)

    def count_attempts(self, profile_id: int, failures: int, locked_until: int | None) -> None:
        """No change of the profile that anybody is told of; inside of a transaction."""
        self._table.update(profile_id, {"failures": failures, "locked_until": locked_until})

    def set_pin(self, profile_id: int, pin_hash: str, *, unlock: bool) -> None:
        """Another PIN, all attempts forgotten and all sessions ended; with ``unlock`` also the
        lock of an administrator. Inside of `Freshness.changing`."""
        columns = {"pin_hash": pin_hash, **_UNCOUNTED}
        self.update(profile_id, {**columns, "locked": False} if unlock else columns)
        self._sessions.end_all(profile_id)

    def unlock(self, profile_id: int) -> None:
        """Takes both kinds of lock away; inside of a transaction."""
        self.update(profile_id, {"locked": False, **_UNCOUNTED})

    def renew_hash(self, profile_id: int, column: str, fresh: str) -> None:
        """The same secret under today's parameters; inside of a transaction."""
        self._table.update(profile_id, {column: fresh})

    def delete(self, profile_id: int, caller: Principal) -> None:
        """With its sessions and its places in groups. Raises as `change`."""
        with self._freshness.changing():
            caller = self._grants.current(caller, MANAGE_PROFILES)
            row = self._table.get(profile_id)
            if row is None:
                raise _no_such_profile(profile_id)
            _refuse_above(row, caller)
            self._table.delete(profile_id)  # what refers to it goes along
            self._grants.require_admin()
            self._tell("deleted", profile_id)

    def _free_key(self, name: str, own_id: int | None) -> str:
        """The name as it is compared. Raises Conflict when another profile has it."""
        key = name_key(name)
        taken = self._db.value("SELECT id FROM profiles WHERE name_key = :key", {"key": key})
        if taken is not None and taken != own_id:
            raise Conflict(f'There is a profile named "{name}" already.')
        return key

    def _tell(self, what: str, profile_id: int) -> None:
        self._events.emit(f"accounts.profile_{what}", {"profileId": profile_id})

    def _as_json(self, row: Row) -> dict[str, Any]:
        return {
            "id": row["id"],
            "name": row["name"],
            "avatarId": row["avatar_id"],
            "recoveryPhraseHint": row["phrase_hint"],
            "locked": row["locked"],
            "profileSettings": row["settings"],
            "createdAt": self._clock.iso(row["created_at"]),
            "updatedAt": self._clock.iso(row["updated_at"]),
        }


def _refuse_above(row: Row, caller: Principal) -> None:
    if ADMIN in from_text(row["granted"]) and not caller.holds(ADMIN):
        raise Forbidden("Only an administrator may change an administrator's profile.")


def _no_such_profile(profile_id: int) -> NotFound:
    return NotFound(f"There is no profile {profile_id}.")
