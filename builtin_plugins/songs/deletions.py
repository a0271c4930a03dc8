"""What was deleted through the API, so that no scan brings it back (songs contract, 4.3, 5.5).

Deletions are numbered in their transactions, and runs compare numbers: no clock of any machine
says what came first.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from builtin_plugins.songs.chunks import chunks, listed
from plugin_sdk import Database

__all__ = ["Deletions"]

_NUMBER: Final = "deletions"


class Deletions:
    def __init__(self, db: Database) -> None:
        self._db = db

    def latest(self) -> int:
        """The number of the latest; 0 before the first."""
        row = self._db.table("states").get(_NUMBER)
        return 0 if row is None else int(row["value"])

    def remember(self, track_id: str, signature: str) -> None:
        """In the transaction that deletes it; ``signature`` is the file's of that moment."""
        number = self.latest() + 1
        self._db.table("states").upsert({"name": _NUMBER, "value": number})
        row = {"track_id": track_id, "signature": signature, "number": number}
        self._db.table("deletions").upsert(row)

    def signatures(self, after: int) -> dict[str, str]:
        """By trackId, of those with a higher number."""
        rows = self._db.query(
            "SELECT track_id, signature FROM deletions WHERE number > :after", {"after": after}
        )
        return {row["track_id"]: row["signature"] for row in rows}

    def later(self, after: int, track_ids: Iterable[str]) -> set[str]:
        """Which of these were deleted with a higher number."""
        found: set[str] = set()
        for chunk in chunks(list(track_ids)):
            names, params = listed(chunk)
            found |= set(
                self._db.values(
                    f"SELECT track_id FROM deletions WHERE track_id IN ({names}) "
                    "AND number > :after",
                    {**params, "after": after},
                )
            )
        return found
