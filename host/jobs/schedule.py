"""The schedule of periodic jobs: of several processes, one runs each tick."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Final

from host.jobs.kinds import JobKind, KindTable
from host.jobs.owners import Owners
from host.jobs.schema import SCHEDULE
from host.jobs.store import JobStore
from plugin_sdk import Clock, JobInfo, Row

__all__ = ["TICK_KEY", "Schedule"]

TICK_KEY: Final = "@schedule"
"""The key of jobs that the schedule starts: a tick is left out while the last one still runs."""


class Schedule:
    """``next_due`` of each kind is kept, so that restarts do not put off what is rare.

    ``at_start`` counts once for all processes: the process that ran it last keeps it while it
    lives. Used by one thread at a time.
    """

    def __init__(self, store: JobStore, clock: Clock, owners: Owners) -> None:
        self._store = store
        self._table = store.database.table(SCHEDULE)
        self._clock = clock
        self._owners = owners
        self._due: dict[str, int | None] = {}

    def keep(self, kinds: KindTable) -> None:
        """Forgets kinds that are gone: when they come back they start anew."""
        self._due = {kind: due for kind, due in self._due.items() if kind in kinds}

    def forget(self, plugin_id: str) -> None:
        gone = f"{plugin_id}/"
        self._due = {kind: due for kind, due in self._due.items() if not kind.startswith(gone)}

    def tick(self, kind: JobKind) -> JobInfo | None:
        """Queues the job if it is due and no other process has done so; costs nothing before."""
        now = self._clock.ms()
        new = kind.kind not in self._due
        if not new:
            due = self._due[kind.kind]
            if due is None or now < due:
                return None
        with self._store.database.transaction():
            # Inside: one that came to life since then may have begun it.
            living = self._owners.living() if new and kind.job.at_start else ()
            row = self._table.get(kind.kind)
            due_now = self._is_due(kind, row, now, new, living)
            next_due = self._next_due(kind, row, now, due_now)
            starts = new and kind.job.at_start and due_now
            starter = self._owners.id if starts else row["starter"] if row else None
            wanted = {
                "kind": kind.kind,
                "plugin_id": kind.plugin_id,
                "every_ms": kind.every_ms,
                "next_due": next_due,
                "starter": starter,
            }
            if row != wanted:
                self._table.upsert(wanted)
            job = None
            if due_now:
                job = self._store.insert(uuid.uuid4().hex, kind, "{}", TICK_KEY, now)
        self._due[kind.kind] = next_due
        return job[0] if job is not None and job[1] else None

    def _is_due(
        self, kind: JobKind, row: Row | None, now: int, new: bool, living: Collection[str]
    ) -> bool:
        if new and kind.job.at_start:
            starter = row["starter"] if row is not None else None
            if starter == self._owners.id or starter not in living:
                return True
        return (
            row is not None
            and kind.every_ms is not None
            and row["next_due"] is not None
            and row["next_due"] <= now
        )

    def _next_due(self, kind: JobKind, row: Row | None, now: int, due_now: bool) -> int | None:
        every = kind.every_ms
        if every is None:
            return None
        planned: int | None = row["next_due"] if row is not None else None
        if planned is None:
            return now + every
        if due_now:
            planned += every
            return planned if planned > now else now + every  # ticks that were missed are one
        # Never farther off than one period: it was shortened, or the clock was set back.
        return min(planned, now + every)
