"""What is to be on: stored wishes, quarantine marks, and the note that finds a killer.

Shared by all processes on one database: a generation number tells them that something changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.db import HostDatabase
from host.processes import is_running
from plugin_sdk import Migration
from plugin_sdk.database import Database
from plugin_sdk.management import PluginFault

__all__ = ["MIGRATIONS", "CrashNote", "Wish", "WishStore"]


def _create(db: Database) -> None:
    db.table("_stagebox_wishes").create(
        {
            "plugin_id": "text",
            "enabled": "boolean",
            "version": "integer",
            "quarantine": "json",
        },
        pk="plugin_id",
    )
    db.table("_stagebox_generation").create({"id": "integer", "number": "integer"}, pk="id")
    db.execute("INSERT INTO _stagebox_generation (id, number) VALUES (1, 0)")
    db.table("_stagebox_states").create(
        {"plugin_id": "text", "wish_version": "integer", "state": "text", "fault": "json"},
        pk="plugin_id",
    )


def _add_confirmed(db: Database) -> None:
    db.table("_stagebox_wishes").add_column("confirmed", "json")


MIGRATIONS = (
    Migration("plugins_001_wishes", _create),
    Migration("plugins_002_confirmed", _add_confirmed),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """``version`` grows with every change of the wish, so that a command can wait until the
    server has acted on it. ``quarantine`` is why it was taken out, until somebody enables it.
    ``confirmed`` are the capabilities and permissions that it declared when a person last enabled
    it, or took over an upgrade; None when nobody ever did. What asks for more waits."""

    enabled: bool
    version: int
    quarantine: PluginFault | None = None
    confirmed: frozenset[str] | None = None


class WishStore:
    """The table of wishes in the host's database."""

    def __init__(self, database: HostDatabase) -> None:
        self._db = database

    def all(self) -> dict[str, Wish]:
        rows = self._db.query("SELECT * FROM _stagebox_wishes")
        return {row["plugin_id"]: _wish(row) for row in rows}

    def get(self, plugin_id: str) -> Wish | None:
        row = self._db.table("_stagebox_wishes").get(plugin_id)
        return None if row is None else _wish(row)

    def set(
        self,
        plugin_id: str,
        enabled: bool,
        quarantine: PluginFault | None = None,
        *,
        confirmed: frozenset[str] | None = None,
    ) -> Wish:
        """Stores a wish; a quarantine mark stays only when given again. ``confirmed``: what a
        person agrees to by it, if that is to change."""
        with self._db.transaction():
            before = self.get(plugin_id)
            version = before.version + 1 if before else 1
            row: dict[str, Any] = {
                "plugin_id": plugin_id,
                "enabled": enabled,
                "version": version,
                "quarantine": _fault_json(quarantine),
            }
            if confirmed is not None:
                row["confirmed"] = sorted(confirmed)
            self._db.table("_stagebox_wishes").upsert(row)
            self.bump()
        if confirmed is None and before is not None:
            confirmed = before.confirmed
        return Wish(enabled, version, quarantine, confirmed)

    def confirm(self, plugin_id: str, declared: frozenset[str]) -> None:
        """Notes what a person agreed to. No change of the wish: nobody has to act on it."""
        with self._db.transaction():
            known = self.get(plugin_id)
            if known is not None and known.confirmed != declared:
                row = {"confirmed": sorted(declared)}
                self._db.table("_stagebox_wishes").update(plugin_id, row)

    def forget(self, plugin_id: str) -> None:
        with self._db.transaction():
            self._db.table("_stagebox_wishes").delete(plugin_id)
            self._db.table("_stagebox_states").delete(plugin_id)
            self.bump()

    def bump(self) -> None:
        """Tells other processes that wishes, settings or choices changed."""
        self._db.execute("UPDATE _stagebox_generation SET number = number + 1 WHERE id = 1")

    def generation(self) -> int:
        return int(self._db.value("SELECT number FROM _stagebox_generation WHERE id = 1") or 0)

    def acted(self, plugin_id: str, version: int, state: str, fault: PluginFault | None) -> None:
        """A serving process notes how a wish ended."""
        self._db.table("_stagebox_states").upsert(
            {
                "plugin_id": plugin_id,
                "wish_version": version,
                "state": state,
                "fault": _fault_json(fault),
            }
        )

    def active_before(self) -> frozenset[str]:
        """Ids that were active when a serving process last noted an outcome."""
        rows = self._db.query("SELECT plugin_id FROM _stagebox_states WHERE state = 'active'")
        return frozenset(row["plugin_id"] for row in rows)

    def outcome(self, plugin_id: str) -> tuple[int, str, PluginFault | None] | None:
        """What `acted` noted last: wish version, state, fault."""
        row = self._db.table("_stagebox_states").get(plugin_id)
        if row is None:
            return None
        return row["wish_version"], row["state"], _fault(row["fault"])


def _wish(row: Mapping[str, Any]) -> Wish:
    confirmed = row["confirmed"]
    return Wish(
        row["enabled"],
        row["version"],
        _fault(row["quarantine"]),
        None if confirmed is None else frozenset(confirmed),
    )


def _fault(document: Mapping[str, str | None] | None) -> PluginFault | None:
    if document is None:
        return None
    return PluginFault(document["code"] or "", document["message"] or "", document.get("incident"))


def _fault_json(fault: PluginFault | None) -> dict[str, str | None] | None:
    if fault is None:
        return None
    return {"code": fault.code, "message": fault.message, "incident": fault.incident}


class CrashNote:
    """A file that says which plugin is being started by this process.

    Found at the next start it names the plugin that killed the process. It has to survive the
    process, not the machine: written without waiting for the disk, so that a hundred plugins
    start quickly. Each process has a note of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"starting-{os.getpid()}.json"

    def write(self, plugin_id: str) -> None:
        self._path.write_text(json.dumps({"plugin": plugin_id}), encoding="utf-8")

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def take(self) -> list[str]:
        """The plugins that dead processes were starting; their notes are gone afterwards."""
        killers: list[str] = []
        for note in sorted(self._folder.glob("starting-*.json")):
            pid = note.stem.partition("-")[2]
            if pid.isdigit() and int(pid) != os.getpid() and is_running(int(pid)):
                continue
            try:
                document = json.loads(note.read_text(encoding="utf-8"))
                killers.append(str(document["plugin"]))
            except (OSError, ValueError, KeyError, TypeError):
                # Killed while it wrote the note itself: no plugin's code had run.
                pass
            note.unlink(missing_ok=True)
        return killers
