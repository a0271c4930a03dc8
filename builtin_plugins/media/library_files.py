"""What a scan must know of the files that its library held before (media contract, 7.3, 7.5)."""

from __future__ import annotations

import os

from builtin_plugins.media.discovery import is_gone
from plugin_sdk import Database, Row

__all__ = ["LibraryFiles"]


class LibraryFiles:
    """Of the library of one job."""

    def __init__(self, database: Database, job: Row) -> None:
        self._db = database
        self._job = job

    def any(self) -> bool:
        found = self._db.value(
            "SELECT 1 FROM library_file WHERE library_id = :id LIMIT 1",
            {"id": self._job["library_id"]},
        )
        return found is not None

    def walked(self, position: int) -> set[str]:
        """Where the files of the folders before a position lie."""
        rows = self._db.query(
            "SELECT f.path FROM library_file l JOIN file f ON f.id = l.file_id"
            " WHERE l.library_id = :library AND l.folder IN"
            " (SELECT name FROM scan_folder WHERE job_id = :job AND position < :position)",
            {
                "library": self._job["library_id"],
                "job": self._job["id"],
                "position": position,
            },
        )
        return {row["path"].rpartition("/")[0] for row in rows}

    def vanished(self) -> list[str]:
        """Files of batch folders that are gone, and of the library's former place; nothing while
        the root cannot be listed or is empty."""
        job = self._job
        try:
            with os.scandir(job["scan_path"]) as listing:
                if next(listing, None) is None:
                    return []
        except OSError:
            return []
        prefix = job["scan_path"].rstrip("/") + "/"
        # In a folder that was walked and is remembered all files are there, below the root. In
        # others that were listed they were judged when that was walked, but for files elsewhere.
        rows = self._db.query(
            "SELECT f.id, f.path, substr(f.path, 1, :length) = :prefix AS inside"
            " FROM library_file l JOIN file f ON f.id = l.file_id WHERE l.library_id = :library"
            " AND l.folder IN (SELECT folder FROM library_file WHERE library_id = :library"
            " EXCEPT SELECT s.name FROM scan_folder s JOIN scanned_folder m"
            " ON m.library_id = :library AND m.folder = s.name"
            " WHERE s.job_id = :job AND NOT s.failed)"
            " AND (substr(f.path, 1, :length) <> :prefix OR l.folder NOT IN"
            " (SELECT name FROM scan_folder WHERE job_id = :job))",
            {
                "library": job["library_id"],
                "job": job["id"],
                "prefix": prefix,
                "length": len(prefix),
            },
        )
        return [row["id"] for row in rows if not row["inside"] or is_gone(row["path"])]
