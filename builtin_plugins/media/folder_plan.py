"""What is to be done about one batch folder: the part that films and episodes have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from builtin_plugins.media.discovery import FoundFile, is_gone
from builtin_plugins.media.ids import Ids
from plugin_sdk import Database, Row

__all__ = [
    "Files",
    "Folder",
    "KindOfScan",
    "Known",
    "Phase",
    "Plan",
    "Storing",
    "gone_files",
    "same_facts",
]

Known = Mapping[str, Row]
"""Files of a library in a folder by path, with what is known of their film or episodes."""

Phase = Callable[[str, str], object]
"""Tells a phase and a message."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A batch folder of a library's scan."""

    library_id: str
    root: str
    name: str


class Storing(Protocol):
    """Stores one thing of a plan inside the folder's transaction."""

    def __call__(self) -> int:
        """How many items it stored."""
        ...


@dataclass(slots=True)
class Plan:
    """``saved`` counts what was found unchanged; ``storing`` what is left to do. ``gone`` are ids
    of files that are not there any more.
    ``settled``: all that lies in the folder is known, unchanged and matched, and nothing else is
    known there."""

    scanned: int = 0
    saved: int = 0
    skipped: int = 0
    lookups: int = 0
    found: int = 0
    not_found: int = 0
    errors: int = 0
    storing: list[Storing] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    settled: bool = False

    def count(self, answers: Iterable[Any]) -> None:
        """Counts look-ups that were made, or could not be made, just now."""
        for answer in answers:
            self.lookups += 1
            self.found += answer.metadata is not None
            self.not_found += answer.metadata is None
            self.errors += answer.found.error


class KindOfScan(Protocol):
    """Films, or shows."""

    def known(self, library_id: str, folders: Sequence[str]) -> Mapping[str, Known]:
        """What the library holds, by folder."""
        ...

    def plan(self, folder: Folder, found: Sequence[FoundFile], known: Known, phase: Phase) -> Plan:
        """Asks providers for what is not known yet; raises Stopped."""
        ...


def same_facts(film: FoundFile, row: Row) -> bool:
    return (film.size, film.mtime_ns, film.resolved) == (
        row["size"],
        row["mtime_ns"],
        row["resolved"],
    )


def gone_files(found: Sequence[FoundFile], known: Known) -> list[str]:
    """Ids of files that are known but surely not on the disk any more."""
    present = {film.path for film in found}
    return [row["file_id"] for path, row in known.items() if path not in present and is_gone(path)]


class Files:
    """File rows and their links to libraries."""

    def __init__(self, database: Database, ids: Ids) -> None:
        self._db = database
        self._ids = ids

    def store(self, film: FoundFile, folder: Folder) -> str:
        """Makes or updates the row, links it to the library; returns its id."""
        facts = {"resolved": film.resolved, "size": film.size, "mtime_ns": film.mtime_ns}
        row = self._db.one("SELECT * FROM file WHERE path = :path", {"path": film.path})
        table, links = self._db.table("file"), self._db.table("library_file")
        link = {"library_id": folder.library_id, "folder": folder.name}
        if row is None:
            file_id = self._ids.new()
            table.insert({"id": file_id, "path": film.path, **facts})
            links.insert({**link, "file_id": file_id})
            return file_id
        file_id = str(row["id"])
        if not same_facts(film, row):
            table.update(file_id, facts)
        known = links.get((folder.library_id, file_id))
        if known is None or known["folder"] != folder.name:
            links.upsert({**link, "file_id": file_id})
        return file_id
