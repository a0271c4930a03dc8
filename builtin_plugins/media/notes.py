"""Small facts that outlive the process, by name."""

from __future__ import annotations

from plugin_sdk import Database

__all__ = ["Notes"]


class Notes:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        row = self._database.table("note").get(name)
        return None if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        """Writes only what is new."""
        if self.get(name) != value:
            self._database.table("note").upsert({"name": name, "value": value})
