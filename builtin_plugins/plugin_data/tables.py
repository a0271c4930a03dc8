"""The tables, as the first migration makes them (local REST contract, section 10)."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Column, Database

__all__ = ["CURRENT_USER", "create_tables"]

CURRENT_USER: Final = "metoyou_currentUserId"
"""The meta key that names the current local user, who owns what is written and read."""


def create_tables(database: Database) -> None:
    """``value`` of ``plugin_data`` is the finished JSON text, so that reading renders nothing.
    ``server_id`` is empty for scope local, ``owner`` while there is no current local user."""
    text = Column("text", null=False)
    data = database.table("plugin_data").create(
        {
            "owner": text,
            "plugin_id": text,
            "scope": text,
            "server_id": text,
            "key": text,
            "value": text,
            "updated_at": Column("integer", null=False),
        },
        pk=("owner", "plugin_id", "scope", "server_id", "key"),
    )
    data.create_index(["plugin_id"])
    database.table("meta").create({"key": text, "value": text}, pk="key")
