"""The audit trail: who changed what by permission, when, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from host.db import HostDatabase
from plugin_sdk import ANONYMOUS, Clock, Database, Migration, Principal
from plugin_sdk.management import AuditEntry, AuditTrail

__all__ = ["Audit"]

_TABLE: Final = "_stagebox_audit"
_MAX_PAGE: Final = 1000
_KEPT: Final = 100_000
_PRUNED_EVERY: Final = 1000


def _create(db: Database) -> None:
    db.table(_TABLE).create(
        {
            "id": "integer",
            "at": "integer",
            "principal_id": "text",
            "principal_name": "text",
            "action": "text",
            "summary": "text",
            "plugin_id": "text",
            "peer": "text",
        },
        pk="id",
    )


_MIGRATIONS: Final = (Migration("audit_001_entries", _create),)


class Audit(AuditTrail):
    """Kept in the host's database, the newest 100,000 entries; no plugin can change them."""

    def __init__(self, database: HostDatabase, clock: Clock) -> None:
        self._db = database
        self._clock = clock
        self._opened = False

    def note(
        self,
        action: str,
        *,
        summary: str = "",
        principal: Principal = ANONYMOUS,
        plugin_id: str = "host",
        peer: str = "",
    ) -> None:
        """Durable when it returns."""
        self._open()
        with self._db.transaction():
            number = self._db.table(_TABLE).insert(
                {
                    "at": self._clock.ms(),
                    "principal_id": principal.id,
                    "principal_name": principal.name,
                    "action": action[:500],
                    "summary": summary[:200],
                    "plugin_id": plugin_id,
                    "peer": peer,
                }
            )
            if number % _PRUNED_EVERY == 0:
                self._db.table(_TABLE).delete_where("id <= :old", {"old": number - _KEPT})

    def entries(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        self._open()
        where = None if before is None else "id < :before"
        rows: list[dict[str, Any]] = self._db.table(_TABLE).rows_where(
            where,
            None if before is None else {"before": before},
            order_by="id DESC",
            limit=max(1, min(limit, _MAX_PAGE)),
        )
        return [AuditEntry(**row) for row in rows]

    def _open(self) -> None:
        if not self._opened:
            self._db.migrate(_MIGRATIONS)
            self._opened = True
