"""Which hosts serve on this database right now, and where they listen."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from host.db import HostDatabase
from host.jobs.owners import process_gone, this_machine, this_process
from plugin_sdk import Clock, Migration, Row
from plugin_sdk.database import Database

__all__ = ["BEAT_SECONDS", "MIGRATIONS", "Presence", "Serving"]

BEAT_SECONDS: Final = 5.0
_SILENT_MS: Final = 20_000
_FORGOTTEN_MS: Final = 24 * 60 * 60 * 1000
"""Who was silent for so long does not come back; who was for less may only have been held up, and
goes on with its row."""


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


def _add_followed(db: Database) -> None:
    db.table("_stagebox_hosts").add_column("followed", "integer")


MIGRATIONS = (
    Migration("app_001_hosts", _create),
    Migration("app_003_followed", _add_followed),
)


@dataclass(frozen=True, slots=True)
class Serving:
    """A serving host. ``machine`` is a name for people, ``listeners`` are URLs."""

    machine: str
    pid: int
    listeners: tuple[str, ...]


class Presence:
    """This host's row in the table, and a look at the others.

    A row names machine, boot and start of its process, not the machine alone: two machines may
    have one name, and a process id is used again."""

    def __init__(self, database: HostDatabase, clock: Clock) -> None:
        self.id = secrets.token_hex(8)
        self._db = database
        self._clock = clock
        self._machine = this_machine()

    def announce(self, listeners: Sequence[str], started_at: int) -> None:
        """This process serves now; rows of hosts that are long gone are removed."""
        with self._db.transaction():
            table = self._db.table("_stagebox_hosts")
            for row in self._rows():
                if self._gone(row):
                    table.delete(row["id"])
            table.upsert(
                {
                    "id": self.id,
                    "machine": f"{self._machine}|{this_process().partition(' ')[2]}",
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

    def note_followed(self, generation: int) -> bool:
        """This host has taken over all that was changed up to a generation number. False while it
        is not announced."""
        changed = self._db.execute(
            "UPDATE _stagebox_hosts SET followed = :generation WHERE id = :id",
            {"generation": generation, "id": self.id},
        )
        return bool(changed)

    def others_followed(self, generation: int) -> bool:
        """Whether all other hosts that are alive have taken over what was changed up to it."""
        told = [row["followed"] for row in self._others()]
        return all(number is not None and number >= generation for number in told)

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
        return [
            Serving(row["machine"].partition("|")[0], row["pid"], tuple(row["listeners"]))
            for row in self._others()
        ]

    def _others(self) -> list[Row]:
        return [row for row in self._rows() if not self._gone(row, _SILENT_MS)]

    def _rows(self) -> list[Row]:
        """Of all hosts but this one."""
        return self._db.query(
            "SELECT * FROM _stagebox_hosts WHERE id <> :id ORDER BY started_at", {"id": self.id}
        )

    def _gone(self, row: Row, silent_ms: int = _FORGOTTEN_MS) -> bool:
        """Whether a host has stopped, its process ended, or, where that cannot be seen, nothing
        was heard of it for so long."""
        if row["stopped"]:
            return True
        machine, _, started = row["machine"].rpartition("|")
        if machine == self._machine:
            return row["pid"] == os.getpid() or process_gone(f"{row['pid']} {started}")
        return bool(row["beat_at"] <= self._clock.ms() - silent_ms)

    def last_listeners(self) -> list[str]:
        """Addresses of the host that began to serve last, running or not."""
        row = self._db.one("SELECT listeners FROM _stagebox_hosts ORDER BY started_at DESC LIMIT 1")
        return list(row["listeners"]) if row else []
