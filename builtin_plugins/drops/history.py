"""What was replaced: whole documents, and identities whose private key would be lost (3.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from plugin_sdk import Clock, Database, NotFound, Row

__all__ = ["History", "HistoryKind", "lost_identities"]

HistoryKind = Literal["settings", "synced", "identity"]

_KEPT: Final = 100
_PRUNE: Final = """
    DELETE FROM document_history WHERE kind = :kind AND id <= (
    SELECT id FROM document_history WHERE kind = :kind ORDER BY id DESC LIMIT 1 OFFSET :kept)
"""


class History:
    """The last 100 of each kind."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    def keep(self, kind: HistoryKind, text: str) -> None:
        """Inside the transaction that replaces it."""
        row = {"kind": kind, "json": text, "replaced_at": self._clock.ms()}
        self._db.table("document_history").insert(row)
        self._db.execute(_PRUNE, {"kind": kind, "kept": _KEPT})

    def entries(self, kind: HistoryKind) -> list[Row]:
        """``id`` and ``replaced_at``, newest first."""
        return self._db.query(
            "SELECT id, replaced_at FROM document_history WHERE kind = :kind ORDER BY id DESC",
            {"kind": kind},
        )

    def get(self, kind: HistoryKind, number: int) -> Any:
        """Raises NotFound."""
        row = self._db.one(
            "SELECT json FROM document_history WHERE kind = :kind AND id = :id",
            {"kind": kind, "id": number},
        )
        if row is None:
            raise NotFound(f"There is no entry {number} in the history of {kind}.")
        return json.loads(row["json"])


def lost_identities(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Identities of the old document whose private key the new one has not."""
    kept = {each["keys"]["private_key"] for each in new["identities"]}
    for each in old["identities"]:
        if each["keys"]["private_key"] not in kept:
            yield each
