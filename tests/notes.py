"""A table to write into."""

from __future__ import annotations

from host.db import HostDatabase

__all__ = ["make_notes"]


def make_notes(database: HostDatabase) -> None:
    """Makes the table ``notes`` with a row, or adds one."""
    database.table("notes").create({"id": "integer", "text": "text"}, pk="id", if_not_exists=True)
    database.table("notes").insert({"text": "a"})
