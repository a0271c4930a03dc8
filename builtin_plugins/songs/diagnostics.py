"""What the diagnostics of the host tell of the library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plugin_sdk import Database

__all__ = ["diagnostics", "song_names"]


def diagnostics(db: Database, scan: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers, no names; ``scan`` is the answer of ``/api/scan-status``."""
    return {
        "songs": db.table("songs").count_where(),
        "tracks": db.table("tracks").count_where(),
        "unreadable": db.table("unreadable").count_where(),
        "storedCopies": db.table("objects").count_where(),
        "scan": {name: scan[name] for name in scan if name not in ("failures", "current")},
    }


def song_names(db: Database) -> Iterator[str]:
    """Names of the songs' files."""
    for row in db.iterate("SELECT filename FROM songs"):
        yield row["filename"].rpartition("/")[2]
