"""The reading half of the service ``rooms.store`` (local REST contract, 7.3)."""

from __future__ import annotations

from plugin_sdk import Clock, Database

__all__ = ["Readers"]


class Readers:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock
