"""The rows of jobs. All SQL on them is here; each change is one transaction.

Writes of a running job are fenced by its lease (number, owner, attempt): a process that was taken
for dead cannot touch what another one has begun again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from host.db.engine import HostDatabase
from host.jobs.kinds import JobKind
from host.jobs.schema import JOBS, MIGRATIONS, OWNERS, SCHEDULE
from plugin_sdk import JobInfo, JobState, NotFound, Row

__all__ = ["Head", "JobStore", "Lease", "job_info"]

_MAX_LIMIT: Final = 1000
_MAX_LOSSES: Final = 10
_LOST: Final = f"The process ended {_MAX_LOSSES} times while this job was running."
_STATES: Final = ("queued", "running", "succeeded", "failed", "cancelled")
_COLUMNS: Final = (
    "number, id, kind, plugin_id, name, state, key, args, done, total, text, result, error, "
    "attempt, failures, cancel_requested, created_at, started_at, finished_at"
)

# What is put into these statements are constants; values are always parameters.
# ruff: noqa: S608

HEADS: Final = f"""WITH RECURSIVE kinds(kind) AS (
    SELECT (SELECT kind FROM {JOBS} WHERE state = 'queued' ORDER BY kind LIMIT 1)
    UNION ALL
    SELECT (SELECT kind FROM {JOBS} WHERE state = 'queued' AND kind > kinds.kind
            ORDER BY kind LIMIT 1)
    FROM kinds WHERE kinds.kind IS NOT NULL)
SELECT kind,
    (SELECT number FROM {JOBS} WHERE state = 'queued' AND kind = kinds.kind AND run_after <= :now
     ORDER BY run_after, number LIMIT 1) AS number,
    (SELECT COUNT(*) FROM {JOBS} WHERE state = 'running' AND kind = kinds.kind) AS running
FROM kinds WHERE kind IS NOT NULL"""
"""The job whose turn it is of each kind; jumps from kind to kind however long the queue is."""

COUNT_RUNNING: Final = f"SELECT COUNT(*) FROM {JOBS} WHERE state = 'running' AND kind = :kind"
CLAIM: Final = f"""UPDATE {JOBS} SET state = 'running', owner = :owner, attempt = attempt + 1,
    started_at = COALESCE(started_at, :now) WHERE number = :number AND state = 'queued'"""
BY_ID: Final = f"SELECT {_COLUMNS} FROM {JOBS} WHERE id = :id"
BY_KEY: Final = f"""SELECT {_COLUMNS} FROM {JOBS}
    WHERE kind = :kind AND key = :key AND key IS NOT NULL AND state IN ('queued', 'running')"""
CANCELS: Final = f"""SELECT number FROM {JOBS}
    WHERE state = 'running' AND owner = :owner AND cancel_requested = 1"""
LOST: Final = f"""SELECT number FROM {JOBS}
    WHERE state = 'running' AND owner NOT IN (SELECT id FROM {OWNERS}) LIMIT 1"""
PRUNE: Final = f"""DELETE FROM {JOBS} WHERE kind = :kind
    AND state IN ('succeeded', 'failed', 'cancelled') AND number <= (
        SELECT number FROM {JOBS}
        WHERE kind = :kind AND state IN ('succeeded', 'failed', 'cancelled')
        ORDER BY number DESC LIMIT 1 OFFSET :keep)"""
OWN: Final = f"SELECT number FROM {JOBS} WHERE state = 'running' AND owner = :owner"
_BACK: Final = f"""UPDATE {JOBS} SET owner = NULL, losses = losses + 1,
    state = CASE WHEN cancel_requested = 1 THEN 'cancelled'
                 WHEN losses + 1 >= {_MAX_LOSSES} THEN 'failed' ELSE 'queued' END,
    error = CASE WHEN cancel_requested = 0 AND losses + 1 >= {_MAX_LOSSES} THEN :lost
                 ELSE error END,
    finished_at = CASE WHEN cancel_requested = 1 OR losses + 1 >= {_MAX_LOSSES} THEN :now END
    WHERE state = 'running'"""
_TAKE_OVER: Final = f"{_BACK} AND owner NOT IN (SELECT id FROM {OWNERS})"
_GIVE_BACK: Final = f"{_BACK} AND owner = :owner AND number = :number"
_LEASED: Final = (
    "WHERE number = :number AND state = 'running' AND owner = :owner AND attempt = :attempt"
)
_PROGRESS: Final = f"UPDATE {JOBS} SET done = :done, total = :total, text = :text {_LEASED}"
_SAVE: Final = f"""UPDATE {JOBS} SET saved = :saved, losses = 0,
    done = :done, total = :total, text = :text {_LEASED}"""
_FINISH: Final = f"""UPDATE {JOBS} SET state = :state, result = :result, error = :error,
    done = :done, total = :total, text = :text, owner = NULL, finished_at = :now {_LEASED}"""
_REQUEUE: Final = f"""UPDATE {JOBS} SET owner = NULL, done = :done, total = :total, text = :text,
    state = CASE WHEN cancel_requested = 1 THEN 'cancelled' ELSE 'queued' END,
    finished_at = CASE WHEN cancel_requested = 1 THEN :now END,
    failures = failures + :failed, error = COALESCE(:error, error),
    run_after = CASE WHEN :failed = 1 THEN :run_after ELSE run_after END {_LEASED}"""


@dataclass(frozen=True, slots=True)
class Head:
    """The next job of a kind (None while all of them wait for a retry), and how many run."""

    kind: str
    number: int | None
    running: int


@dataclass(frozen=True, slots=True)
class Lease:
    """What a running job is held by."""

    number: int
    owner: str
    attempt: int

    def as_params(self) -> dict[str, Any]:
        return {"number": self.number, "owner": self.owner, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a handler last said about how far it is."""

    done: int = 0
    total: int = 0
    text: str = ""

    def as_params(self) -> dict[str, Any]:
        return {"done": self.done, "total": self.total, "text": self.text}


def job_info(row: Row) -> JobInfo:
    """A row as the SDK's value."""
    return JobInfo(
        id=row["id"],
        plugin_id=row["plugin_id"],
        name=row["name"],
        state=row["state"],
        key=row["key"],
        args=json.loads(row["args"]),
        done=row["done"],
        total=row["total"],
        text=row["text"],
        result=None if row["result"] is None else json.loads(row["result"]),
        error=row["error"],
        attempt=row["attempt"],
        cancel_requested=bool(row["cancel_requested"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def list_query(
    plugin_id: str | None, kind: str | None, state: JobState | None
) -> tuple[str, dict[str, Any]]:
    """The SQL of a list, newest first, and its parameters but ``limit``."""
    params: dict[str, Any] = {}
    where = []
    if kind is not None:
        where.append("kind = :kind")
        params["kind"] = kind
    elif plugin_id is not None:
        where.append("plugin_id = :plugin_id")
        params["plugin_id"] = plugin_id
    if state is not None:
        where.append("state = :state")
        params["state"] = state
    condition = f"WHERE {' AND '.join(where)} " if where else ""
    return f"SELECT {_COLUMNS} FROM {JOBS} {condition}ORDER BY number DESC LIMIT :limit", params


class JobStore:
    """Access to the table of jobs. Raises DatabaseUnavailable."""

    def __init__(self, database: HostDatabase, keep: int) -> None:
        self.database = database
        self._keep = keep

    def prepare(self) -> None:
        """Makes the tables."""
        self.database.migrate(MIGRATIONS)

    # -- from outside

    def insert(
        self, job_id: str, kind: JobKind, args: str, key: str | None, now: int
    ) -> tuple[JobInfo, bool]:
        """The new job and True, or the one that holds the key already and False."""
        with self.database.transaction():
            if key is not None:
                found = self.database.one(BY_KEY, {"kind": kind.kind, "key": key})
                if found is not None:
                    return job_info(found), False
            self.database.table(JOBS).insert(
                {
                    "id": job_id,
                    "kind": kind.kind,
                    "plugin_id": kind.plugin_id,
                    "name": kind.job.name,
                    "state": "queued",
                    "key": key,
                    "args": args,
                    "done": 0,
                    "total": 0,
                    "text": "",
                    "attempt": 0,
                    "failures": 0,
                    "losses": 0,
                    "cancel_requested": 0,
                    "run_after": now,
                    "created_at": now,
                }
            )
            return self.get(job_id), True

    def get(self, job_id: str, plugin_id: str | None = None) -> JobInfo:
        """Raises NotFound, also for another plugin's job."""
        row = self.database.one(BY_ID, {"id": job_id})
        if row is None or plugin_id not in (None, row["plugin_id"]):
            raise NotFound(f"There is no job {job_id!r}.")
        return job_info(row)

    def find(
        self,
        *,
        plugin_id: str | None = None,
        kind: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        """Newest first; at most 1,000 whatever ``limit`` says."""
        sql, params = list_query(plugin_id, kind, state)
        params["limit"] = max(0, min(limit, _MAX_LIMIT))
        return [job_info(row) for row in self.database.query(sql, params)]

    def cancel(self, job_id: str, plugin_id: str | None, now: int) -> JobInfo | None:
        """Notes the wish; a job that waits is cancelled at once. None when it was over."""
        with self.database.transaction():
            info = self.get(job_id, plugin_id)
            if info.finished:
                return None
            self.database.execute(
                f"""UPDATE {JOBS} SET cancel_requested = 1,
                finished_at = CASE WHEN state = 'queued' THEN :now END,
                state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END
                WHERE id = :id""",
                {"id": job_id, "now": now},
            )
            return self.get(job_id)

    def purge(self, plugin_id: str) -> None:
        """Removes all that is known of a plugin's jobs."""
        with self.database.transaction():
            for table in (JOBS, SCHEDULE):
                self.database.execute(
                    f"DELETE FROM {table} WHERE plugin_id = :plugin_id", {"plugin_id": plugin_id}
                )

    # -- taking

    def heads(self, now: int) -> list[Head]:
        """The next job of each kind that has any, oldest first."""
        found = [Head(**row) for row in self.database.query(HEADS, {"now": now})]
        return sorted((head for head in found if head.number), key=lambda head: head.number or 0)

    def claim(self, number: int, kind: JobKind, owner: str, now: int) -> Row | None:
        """Leases a job that waits, unless as many of its kind run as may, in all processes."""
        with self.database.transaction():
            running = self.database.value(COUNT_RUNNING, {"kind": kind.kind})
            claim = {"number": number, "owner": owner, "now": now}
            if running >= kind.job.concurrency or not self.database.execute(CLAIM, claim):
                return None
            return self.database.table(JOBS).get(number)

    def lost(self) -> bool:
        """Whether some job's owner is no owner any more."""
        return self.database.one(LOST) is not None

    def take_over(self, now: int) -> int:
        """Puts jobs of owners that are gone back into the queue; how many there were."""
        return self.database.execute(_TAKE_OVER, {"now": now, "lost": _LOST})

    def give_back(self, owner: str, runs: Collection[int], now: int) -> int:
        """Puts jobs back into the queue that this owner has leased and does not run; how many."""
        with self.database.transaction():
            leased = {row["number"] for row in self.database.query(OWN, {"owner": owner})}
            adrift = [{"number": number} for number in leased.difference(runs)]
            for each in adrift:
                values = {"owner": owner, "now": now, "lost": _LOST}
                self.database.execute(_GIVE_BACK, {**each, **values})
        return len(adrift)

    def cancels(self, owner: str) -> set[int]:
        """Running jobs of this owner that somebody wants cancelled."""
        return {row["number"] for row in self.database.query(CANCELS, {"owner": owner})}

    # -- by the owner of the lease; False when the lease is lost

    def progress(self, lease: Lease, progress: Progress) -> bool:
        return bool(self._leased(_PROGRESS, lease, **progress.as_params()))

    def save(self, lease: Lease, saved: str, progress: Progress) -> bool:
        return bool(self._leased(_SAVE, lease, saved=saved, **progress.as_params()))

    def finish(
        self,
        lease: Lease,
        kind: str,
        state: JobState,
        progress: Progress,
        now: int,
        *,
        result: str | None = None,
        error: str | None = None,
    ) -> bool:
        """Ends the job and removes old ones of its kind."""
        values = {"state": state, "result": result, "error": error, "now": now}
        with self.database.transaction():
            done = self._leased(_FINISH, lease, **values, **progress.as_params())
            self.database.execute(PRUNE, {"kind": kind, "keep": self._keep})
        return bool(done)

    def requeue(
        self,
        lease: Lease,
        progress: Progress,
        now: int,
        *,
        error: str | None = None,
        delay: int | None = None,
    ) -> bool:
        """Gives the job back; with ``delay`` (milliseconds) as failed, to be begun again then."""
        failed = delay is not None
        values = {
            "now": now,
            "error": error,
            "failed": int(failed),
            "run_after": now + (delay or 0),
        }
        return bool(self._leased(_REQUEUE, lease, **values, **progress.as_params()))

    def _leased(self, sql: str, lease: Lease, **values: Any) -> int:
        return self.database.execute(sql, {**lease.as_params(), **values})
