"""Meta: texts by name."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Database

__all__ = ["Meta"]

_WRITE: Final = """
    INSERT INTO meta (key, value) VALUES (:key, :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value <> excluded.value
"""


class Meta:
    """The table ``meta``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, key: str) -> str | None:
        text: str | None = self._database.value(
            "SELECT value FROM meta WHERE key = :key", {"key": key}
        )
        return text

    def write(self, key: str, value: str) -> bool:
        """False when it was there already, letter for letter."""
        return self._database.execute(_WRITE, {"key": key, "value": value}) > 0

    def delete(self, key: str) -> bool:
        return self._database.table("meta").delete(key)

    def all(self) -> dict[str, str]:
        rows = self._database.query("SELECT key, value FROM meta ORDER BY key")
        return {row["key"]: row["value"] for row in rows}
