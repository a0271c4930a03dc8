"""Migrations: named steps, each once, in one transaction with the record that it ran."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from host.db.engine import HostDatabase
from plugin_sdk import Invalid, Migration

__all__ = ["migrate"]

_TABLE: Final = "_stagebox_migrations"


def migrate(database: HostDatabase, steps: Sequence[Migration]) -> list[str]:
    """See `HostDatabase.migrate`."""
    names = [step.name for step in steps]
    for name in names:
        if not isinstance(name, str) or not name:
            raise Invalid("A migration needs a name.")
        if names.count(name) > 1:
            raise Invalid(f'Two migrations are named "{name}": a name is used once.')
    recorded = {row["name"] for row in database.table(_TABLE).rows_where(select="name")}
    return [step.name for step in steps if step.name not in recorded and _run(database, step)]


def _run(database: HostDatabase, step: Migration) -> bool:
    """False when another process was first."""
    with database.transaction():
        records = database.table(_TABLE)
        records.create(_COLUMNS, pk="number", if_not_exists=True)
        if records.count_where("name = :name", {"name": step.name}):
            return False
        step.apply(database)
        records.insert({"name": step.name, "ran_at": time.time_ns() // 1_000_000})
    return True


_COLUMNS: Final[dict[str, Any]] = {"number": "integer", "name": "text", "ran_at": "integer"}
