# ruff: noqa: S608 (only names of placeholders are put together; values are bound)
"""Folders about which there was nothing to do: while their files stay as they are, a scan need not
even ask the database for them (media contract, 7.5, 13)."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builtin_plugins.media.discovery import FoundFile
from builtin_plugins.media.statements import named_list
from plugin_sdk import Column, Database, ForeignKey

__all__ = ["FolderMemory", "Remembered", "create_memory", "digest_of"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """``saved`` and ``skipped`` are what a scan counts in the folder."""

    digest: str
    saved: int
    skipped: int


def digest_of(kind: str, found: Sequence[FoundFile]) -> str:
    """Of all that a scan compares; equal digests mean equal files."""
    facts = [
        (each.path, each.size, each.mtime_ns)
        if each.resolved == each.path
        else (each.path, each.size, each.mtime_ns, each.resolved)
        for each in found
    ]
    # The quickest way to unambiguous bytes, twice as quick as repr; 2 is the last version in which
    # equal values have equal bytes. Another Python that writes others costs one closer look.
    content = kind.encode() + marshal.dumps(facts, 2)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def create_memory(database: Database) -> None:
    text, count = Column("text", null=False), Column("integer", null=False)
    library = Column("text", null=False, references=ForeignKey("library", "id", "cascade"))
    database.table("scanned_folder").create(
        {"library_id": library, "folder": text, "digest": text, "saved": count, "skipped": count},
        pk=("library_id", "folder"),
    )


class FolderMemory:
    """A folder is kept when a scan found each of its files known, unchanged and matched; it is
    dropped by the first scan that finds it otherwise. Whatever takes something away from a file
    that stays (its film, its episode) makes all forgotten: that is rare."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.forgotten = 0
        """How many times all was forgotten by this process: what was read before is stale."""

    def recall(self, library_id: str, folders: Sequence[str]) -> Mapping[str, Remembered]:
        names, values = named_list("f", folders)
        rows = self._db.query(
            "SELECT folder, digest, saved, skipped FROM scanned_folder"
            f" WHERE library_id = :library AND folder IN ({names})",
            {**values, "library": library_id},
        )
        return {
            row["folder"]: Remembered(row["digest"], row["saved"], row["skipped"]) for row in rows
        }

    def keep(self, library_id: str, folder: str, remembered: Remembered) -> None:
        row: dict[str, Any] = {"library_id": library_id, "folder": folder}
        row |= {"digest": remembered.digest, "saved": remembered.saved}
        self._db.table("scanned_folder").upsert({**row, "skipped": remembered.skipped})

    def drop(self, library_id: str, folder: str) -> None:
        self._db.table("scanned_folder").delete((library_id, folder))

    def forget(self) -> None:
        """Inside the transaction that takes something away."""
        self.forgotten += 1
        self._db.execute("DELETE FROM scanned_folder")
