"""The tables, as the first migration makes them."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Column, Database, ForeignKey

__all__ = ["UNKNOWN_NAMES", "create_tables"]

UNKNOWN_NAMES: Final = "unknown_names"
"""The counter of attempts with a name that does not exist."""

_TEXT: Final = Column("text", null=False)
_MS: Final = Column("integer", null=False)
_ZERO: Final = Column("integer", null=False, default=0)


def create_tables(database: Database) -> None:
    """Moments are milliseconds since the epoch.

    ``profiles.granted`` is the union of what the profile's groups grant, written in the
    transaction that changes a group: so a request finds session, profile and permissions in one
    row, however many groups there are.
    """
    database.table("profiles").create(
        {
            "id": "integer",
            "name": _TEXT,
            "name_key": Column("text", null=False, unique=True),
            "pin_hash": _TEXT,
            "phrase_hash": _TEXT,
            "phrase_hint": _TEXT,
            "avatar_id": "integer",
            "locked": Column("boolean", null=False, default=False),
            "failures": _ZERO,
            "locked_until": "integer",
            "settings": Column("json", null=False),
            "granted": Column("text", null=False, default=""),
            "created_at": _MS,
            "updated_at": _MS,
        },
        pk="id",
    )
    profile = Column("integer", null=False, references=ForeignKey("profiles", "id", "cascade"))
    database.table("sessions").create(
        {"token_hash": _TEXT, "profile_id": profile, "created_at": _MS, "expires_at": _MS},
        pk="token_hash",
    ).create_index(["profile_id"]).create_index(["expires_at"])
    database.table("permission_groups").create(
        {
            "id": "integer",
            "name": _TEXT,
            "name_key": Column("text", null=False, unique=True),
            "created_at": _MS,
            "updated_at": _MS,
        },
        pk="id",
    )
    group = Column(
        "integer", null=False, references=ForeignKey("permission_groups", "id", "cascade")
    )
    database.table("group_members").create(
        {"group_id": group, "profile_id": profile}, pk=("group_id", "profile_id")
    ).create_index(["profile_id"])
    database.table("group_permissions").create(
        {"group_id": group, "permission": _TEXT}, pk=("group_id", "permission")
    ).create_index(["permission"])
    counters = database.table("counters")
    counters.create({"name": _TEXT, "value": _ZERO}, pk="name")
    counters.insert({"name": UNKNOWN_NAMES, "value": 0})
