"""Permission groups: who may do what (plugin contract, 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.grants import Grants
from builtin_plugins.accounts.names import name_key
from builtin_plugins.accounts.permissions import canonical, in_order
from builtin_plugins.accounts.profiles import ProfileStore
from plugin_sdk import (
    ADMIN,
    Clock,
    Conflict,
    Database,
    Events,
    Forbidden,
    Invalid,
    NotFound,
    Principal,
    Problem,
    Row,
)

__all__ = ["MANAGE_PERMISSIONS", "GroupStore"]

MANAGE_PERMISSIONS: Final = "MANAGE_PERMISSIONS"


class GroupStore:
    """Reads and writes groups. Values that come in are checked already, as far as that can be
    done without looking at profiles.

    Nobody raises himself: who does not hold ADMIN can neither touch a group with ADMIN nor hand
    out, by a permission or by a membership, what he does not hold.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        events: Events,
        profiles: ProfileStore,
        grants: Grants,
        freshness: Freshness,
    ) -> None:
        self._db = database
        self._table = database.table("permission_groups")
        self._members = database.table("group_members")
        self._permissions = database.table("group_permissions")
        self._clock = clock
        self._events = events
        self._profiles = profiles
        self._grants = grants
        self._freshness = freshness

    def all(self) -> list[dict[str, Any]]:
        """By id."""
        members: dict[int, list[int]] = defaultdict(list)
        permissions: dict[int, list[str]] = defaultdict(list)
        with self._db.snapshot():
            rows = self._table.rows_where(order_by="id")
            for each in self._members.rows_where(order_by="group_id, profile_id"):
                members[each["group_id"]].append(each["profile_id"])
            for each in self._permissions.rows_where():
                permissions[each["group_id"]].append(each["permission"])
        return [self._as_json(row, members[row["id"]], permissions[row["id"]]) for row in rows]

    def refuse_above(self, group_id: int, caller: Principal) -> None:
        """Raises Forbidden when the group contains ADMIN and the caller does not hold it."""
        _refuse_above(self._permissions_of(group_id), caller)

    def create(self, values: Mapping[str, Any], caller: Principal) -> dict[str, Any]:
        """Raises Invalid for an unknown profile, Forbidden, Conflict for a name that is taken or
        with code LAST_ADMIN."""
        with self._freshness.changing():
            caller = self._grants.current(caller, MANAGE_PERMISSIONS)
            self._check_profiles(values)
            _refuse_handing_out(values.get("permissions", ()), caller)
            created = self.insert(
                values["name"], values.get("profileIds", ()), values.get("permissions", ())
            )
            self._grants.require_admin()
        return created

    def insert(
        self, name: str, profile_ids: Iterable[int], permissions: Iterable[str]
    ) -> dict[str, Any]:
        """A group, unquestioned; inside of a transaction."""
        now = self._clock.ms()
        key = self._free_key(name, None)
        row = {"name": name, "name_key": key, "created_at": now, "updated_at": now}
        group_id = self._table.insert(row)
        members = set(profile_ids)
        self._join(group_id, members)
        self._grant(group_id, set(permissions))
        self._changed(members)
        return self._get(group_id)

    def change(
        self, group_id: int, changes: Mapping[str, Any], caller: Principal
    ) -> dict[str, Any]:
        """Changes what is named; lists are replaced. Raises as `create`, and NotFound."""
        with self._freshness.changing():
            caller = self._grants.current(caller, MANAGE_PERMISSIONS)
            held = self._permissions_of(group_id)
            _refuse_above(held, caller)
            self._check_profiles(changes)
            before = self._get(group_id)
            members = set(before["profileIds"])
            wanted = set(changes.get("profileIds", members))
            permissions = set(changes.get("permissions", held))
            # Whoever joins gets all of the group; those who are in it get what is new.
            _refuse_handing_out(permissions if wanted - members else permissions - held, caller)
            if "name" in changes:
                key = self._free_key(changes["name"], group_id)
                self._table.update(group_id, {"name": changes["name"], "name_key": key})
            self._join(group_id, wanted - members)
            self._leave(group_id, members - wanted)
            self._grant(group_id, permissions - held)
            self._withdraw(group_id, held - permissions)
            if changes:
                self._table.update(group_id, {"updated_at": self._clock.ms()})
            if permissions != held or wanted != members:
                self._changed(members ^ wanted if permissions == held else members | wanted)
                self._grants.require_admin()
            return self._get(group_id)

    def delete(self, group_id: int, caller: Principal) -> None:
        """Raises NotFound, Forbidden, Conflict with code LAST_ADMIN."""
        with self._freshness.changing():
            caller = self._grants.current(caller, MANAGE_PERMISSIONS)
            _refuse_above(self._permissions_of(group_id), caller)
            members = self._get(group_id)["profileIds"]
            self._table.delete(group_id)  # what refers to it goes along
            self._changed(members)
            self._grants.require_admin()

    def granted(self, plugin_id: str) -> list[tuple[int, str]]:
        """The permissions of a plugin that groups hold: group and permission."""
        prefix = f"{plugin_id}:"
        if canonical(f"{prefix}any") is None:  # no id of a plugin, nor perhaps any text to ask for
            return []
        rows = self._permissions.rows_where(
            "substr(permission, 1, :length) = :prefix",
            {"length": len(prefix), "prefix": prefix},
        )
        return [(row["group_id"], row["permission"]) for row in rows]

    def forget(self, plugin_id: str) -> int:
        """Withdraws the permissions of a plugin from all groups; says how many that were."""
        with self._freshness.changing():
            found = self.granted(plugin_id)
            for group_id in sorted({group_id for group_id, _ in found}):
                mine = {permission for group, permission in found if group == group_id}
                self._withdraw(group_id, mine)
                self._table.update(group_id, {"updated_at": self._clock.ms()})
                self._changed(self._get(group_id)["profileIds"])
        return len(found)

    def _changed(self, profile_ids: Iterable[int]) -> None:
        self._grants.refresh(set(profile_ids))
        self._events.emit("accounts.permissions_changed", {})

    def _check_profiles(self, values: Mapping[str, Any]) -> None:
        missing = self._profiles.missing(values.get("profileIds", ()))
        if missing:
            problems = [Problem(f"profileIds.{index}", "is no profile") for index in missing]
            raise Invalid("profileIds names profiles that do not exist.", details=problems[:200])

    def _free_key(self, name: str, own_id: int | None) -> str:
        """The name as it is compared. Raises Conflict when another group has it."""
        key = name_key(name)
        sql = "SELECT id FROM permission_groups WHERE name_key = :key"
        taken = self._db.value(sql, {"key": key})
        if taken is not None and taken != own_id:
            raise Conflict(f'There is a group named "{name}" already.')
        return key

    def _permissions_of(self, group_id: int) -> set[str]:
        rows = self._permissions.rows_where("group_id = :id", {"id": group_id})
        return {row["permission"] for row in rows}

    def _join(self, group_id: int, profile_ids: Iterable[int]) -> None:
        self._members.insert_all(
            {"group_id": group_id, "profile_id": profile_id} for profile_id in sorted(profile_ids)
        )

    def _leave(self, group_id: int, profile_ids: Iterable[int]) -> None:
        self._db.executemany(
            "DELETE FROM group_members WHERE group_id = :group AND profile_id = :profile",
            [{"group": group_id, "profile": profile_id} for profile_id in profile_ids],
        )

    def _grant(self, group_id: int, permissions: Iterable[str]) -> None:
        self._permissions.insert_all(
            {"group_id": group_id, "permission": permission} for permission in sorted(permissions)
        )

    def _withdraw(self, group_id: int, permissions: Iterable[str]) -> None:
        self._db.executemany(
            "DELETE FROM group_permissions WHERE group_id = :group AND permission = :permission",
            [{"group": group_id, "permission": permission} for permission in permissions],
        )

    def _get(self, group_id: int) -> dict[str, Any]:
        row = self._table.get(group_id)
        if row is None:
            raise NotFound(f"There is no permission group {group_id}.")
        members = self._members.rows_where(
            "group_id = :id", {"id": group_id}, select="profile_id", order_by="profile_id"
        )
        ids = [each["profile_id"] for each in members]
        return self._as_json(row, ids, self._permissions_of(group_id))

    def _as_json(
        self, row: Row, profile_ids: list[int], permissions: Iterable[str]
    ) -> dict[str, Any]:
        return {
            "id": row["id"],
            "name": row["name"],
            "profileIds": profile_ids,
            "permissions": in_order(permissions),
            "createdAt": self._clock.iso(row["created_at"]),
            "updatedAt": self._clock.iso(row["updated_at"]),
        }


def _refuse_above(permissions: Iterable[str], caller: Principal) -> None:
    if ADMIN in permissions and not caller.holds(ADMIN):
        raise Forbidden("Only an administrator may change a group with ADMIN.")


def _refuse_handing_out(permissions: Iterable[str], caller: Principal) -> None:
    for permission in in_order(permissions):
        if not caller.holds(permission):
            raise Forbidden(f"Missing permission: {permission}")
