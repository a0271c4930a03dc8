"""What is to be done about one batch folder: the part that films and episodes have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from builtin_plugins.media.discovery import FoundFile, is_gone
from builtin_plugins.media.ids import Ids
from plugin_sdk import Database, Row

__all__ = [
    "PART",
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

PART: Final = 5000
"""So many files, about, are asked about and stored at a time: a folder is committed as one (media
contract, 7.1), unless it holds more than people put into one."""

Known = Mapping[str, Row]
"""Files of a library in a folder by path, with what is known of their film or episodes."""

Phase = Callable[[str, str], object]
"""Tells a phase and a message."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A batch folder of a library's scan. ``done``: what has a path up to this one was stored by
    the same scan, before it was interrupted."""

    library_id: str
    root: str
    name: str
    done: str | None = None

    def has_done(self, path: str) -> bool:
        return self.done is not None and path <= self.done


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
    known there. ``until``: it is a part of the folder, up to this path; of a folder with many
    files, what is asked and stored would not be held in memory as a whole. ``stores``: there is or
    was something to store."""

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
    until: str | None = None
    stores: bool = False

    def looked_up(self) -> tuple[int, int, int, int]:
        return (self.lookups, self.found, self.not_found, self.errors)

    def forget_lookups(self) -> None:
        """They are counted by now."""
        self.lookups = self.found = self.not_found = self.errors = 0

    def store(self) -> None:
        """Inside a transaction."""
        for store in self.storing:
            self.saved += store()
        self.storing = []

    def followed_by(self, other: Plan) -> Plan:
        """The plan of what comes next, with what was counted until now."""
        other.stores = self.stores or bool(other.storing) or other.until is not None
        other.scanned += self.scanned
        other.saved += self.saved
        other.skipped += self.skipped
        return other

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

    def plans(
        self, folder: Folder, found: Sequence[FoundFile], known: Known, phase: Phase
    ) -> Iterator[Plan]:
        """Asks providers for what is not known yet; raises Stopped. Parts, each to be stored
        before the next one is asked for, and then the rest."""
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
