"""Which hosts serve on this database right now, and where they listen."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from host.db import HostDatabase
from host.processes import is_running
from plugin_sdk import Clock, Migration
from plugin_sdk.database import Database

__all__ = ["BEAT_SECONDS", "MIGRATIONS", "Presence", "Serving"]

BEAT_SECONDS: Final = 5.0
_SILENT_MS: Final = 20_000


def _create(db: Database) -> None:
    db.table("_stagebox_hosts").create(
        {
            "id": "text",
            "machine": "text",
            "pid": "integer",
            "listeners": "json",
            "started_at": "integer",
            "beat_at": "integer",
            "stopped": "boolean",
        },
        pk="id",
    )


MIGRATIONS = (Migration("app_001_hosts", _create),)


@dataclass(frozen=True, slots=True)
class Serving:
    """A serving host. ``listeners`` are URLs."""

    machine: str
    pid: int
    listeners: tuple[str, ...]


class Presence:
    """This host's row in the table, and a look at the others."""

    def __init__(self, database: HostDatabase, clock: Clock) -> None:
        self.id = secrets.token_hex(8)
        self._db = database
        self._clock = clock

    def announce(self, listeners: Sequence[str], started_at: int) -> None:
        """This process serves now; rows of hosts that are long gone are removed."""
        with self._db.transaction():
            table = self._db.table("_stagebox_hosts")
            table.delete_where("id <> :id", {"id": self.id}) if not self.others() else None
            table.upsert(
                {
                    "id": self.id,
                    "machine": socket.gethostname(),
                    "pid": os.getpid(),
                    "listeners": list(listeners),
                    "started_at": started_at,
                    "beat_at": self._clock.ms(),
                    "stopped": False,
                }
            )

    def beat(self) -> None:
        self._db.execute(
            "UPDATE _stagebox_hosts SET beat_at = :now WHERE id = :id",
            {"now": self._clock.ms(), "id": self.id},
        )

    def leave(self) -> None:
        """Serves no more; the addresses stay known as those of the last time."""
        self._db.execute(
            "UPDATE _stagebox_hosts SET stopped = :stopped WHERE id = :id",
            {"stopped": True, "id": self.id},
        )

    def forget(self) -> None:
        """Nobody serves on this database: it was restored from a backup."""
        self._db.execute("UPDATE _stagebox_hosts SET stopped = :stopped", {"stopped": True})

    def others(self) -> list[Serving]:
        """Hosts other than this one that are alive."""
        rows = self._db.query(
            "SELECT * FROM _stagebox_hosts WHERE id <> :id ORDER BY started_at", {"id": self.id}
        )
        here = socket.gethostname()
        return [
            Serving(row["machine"], row["pid"], tuple(row["listeners"]))
            for row in rows
            if not row["stopped"] and self._alive(row["machine"] == here, row)
        ]

    def _alive(self, same_machine: bool, row: dict[str, int]) -> bool:
        if same_machine:
            return row["pid"] != os.getpid() and is_running(row["pid"])
        return row["beat_at"] > self._clock.ms() - _SILENT_MS

    def is_alive(self, id: str) -> bool:
        """Whether the host of that id serves."""
        row = self._db.table("_stagebox_hosts").get(id)
        if row is None or row["stopped"]:
            return False
        return id == self.id or self._alive(row["machine"] == socket.gethostname(), row)

    def last_listeners(self) -> list[str]:
        """Addresses of the host that began to serve last, running or not."""
        row = self._db.one("SELECT listeners FROM _stagebox_hosts ORDER BY started_at DESC LIMIT 1")
        return list(row["listeners"]) if row else []
