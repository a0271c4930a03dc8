"""The rows of plugin data; ``value`` is JSON text throughout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from builtin_plugins.plugin_data.tables import CURRENT_USER
from plugin_sdk import Database

__all__ = ["Address", "Rows"]

_OWNER: Final = "COALESCE(:owner, (SELECT value FROM meta WHERE key = :current_user), '')"
_ROW: Final = (
    f"owner = {_OWNER} AND plugin_id = :plugin_id"
    " AND scope = :scope AND server_id = :server_id AND key = :key"
)
_READ: Final = f"SELECT value FROM plugin_data WHERE {_ROW}"  # noqa: S608  # constants only
_DELETE: Final = f"DELETE FROM plugin_data WHERE {_ROW}"  # noqa: S608  # constants only
_WRITE: Final = f"""
    INSERT INTO plugin_data (owner, plugin_id, scope, server_id, key, value, updated_at)
    VALUES ({_OWNER}, :plugin_id, :scope, :server_id, :key, :value, :now)
    ON CONFLICT (owner, plugin_id, scope, server_id, key)
    DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
    WHERE plugin_data.value <> excluded.value
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lies. ``server_id`` is empty for scope local; ``owner`` None is the current
    local user, looked up by the statement itself."""

    plugin_id: str
    key: str
    scope: str
    server_id: str
    owner: str | None = None

    def parameters(self, **more: Any) -> dict[str, Any]:
        return {**asdict(self), "current_user": CURRENT_USER, **more}


class Rows:
    """The table ``plugin_data``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, address: Address) -> str | None:
        text: str | None = self._database.value(_READ, address.parameters())
        return text

    def write(self, address: Address, value: str, now: int) -> bool:
        """False when it was there already, letter for letter."""
        return self._database.execute(_WRITE, address.parameters(value=value, now=now)) > 0

    def delete(self, address: Address) -> bool:
        return self._database.execute(_DELETE, address.parameters()) > 0

    def delete_all(self) -> int:
        return self._database.table("plugin_data").delete_where()

    def count_plugin(self, plugin_id: str) -> int:
        """Every owner, scope and server."""
        table = self._database.table("plugin_data")
        return table.count_where("plugin_id = :plugin_id", {"plugin_id": plugin_id})

    def delete_plugin(self, plugin_id: str) -> int:
        """Every owner, scope and server."""
        table = self._database.table("plugin_data")
        return table.delete_where("plugin_id = :plugin_id", {"plugin_id": plugin_id})

    def holds(self, plugin_id: str) -> bool:
        sql = "SELECT 1 FROM plugin_data WHERE plugin_id = :plugin_id LIMIT 1"
        return self._database.value(sql, {"plugin_id": plugin_id}) is not None

    def all(self) -> Iterator[dict[str, Any]]:
        """In the form of an import: ``pluginId``, ``key``, ``value``, ``scope``, ``owner``, and
        ``serverId`` for scope server."""
        found = self._database.iterate(
            "SELECT owner, plugin_id, scope, server_id, key, value FROM plugin_data"
            " ORDER BY owner, plugin_id, scope, server_id, key"
        )
        for row in found:
            server = {"serverId": row["server_id"]} if row["scope"] == "server" else {}
            yield {
                "pluginId": row["plugin_id"],
                "key": row["key"],
                "value": json.loads(row["value"]),
                "scope": row["scope"],
                **server,
                "owner": row["owner"],
            }
