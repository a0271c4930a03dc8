"""The tables of the job service in the host's database."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Database, Migration

__all__ = ["JOBS", "MIGRATIONS", "OWNERS", "SCHEDULE"]

JOBS: Final = "_stagebox_jobs"
OWNERS: Final = "_stagebox_job_owners"
SCHEDULE: Final = "_stagebox_job_schedule"

_ACTIVE: Final = "state IN ('queued', 'running')"


def _jobs(db: Database) -> None:
    table = db.table(JOBS).create(
        {
            "number": "integer",  # the order of creation
            "id": "text",
            "kind": "text",  # plugin_id/name
            "plugin_id": "text",
            "name": "text",
            "state": "text",
            "key": "text",
            "args": "text",
            "done": "integer",
            "total": "integer",
            "text": "text",
            "result": "text",
            "error": "text",
            "attempt": "integer",
            "failures": "integer",
            "losses": "integer",  # how often a process died over it since it last saved
            "saved": "text",
            "cancel_requested": "integer",
            "owner": "text",
            "run_after": "integer",
            "created_at": "integer",
            "started_at": "integer",
            "finished_at": "integer",
        },
        pk="number",
        unique=[["id"]],
    )
    table.create_index(
        ["kind", "key"],
        unique=True,
        where=f"key IS NOT NULL AND {_ACTIVE}",
        name="_stagebox_jobs_one_per_key",
    )
    # Not a partial index: SQLite would not see that it is in the order of the kinds.
    table.create_index(["state", "kind", "run_after", "number"], name="_stagebox_jobs_turn")
    # Lists, newest first: of all, of a plugin, of a kind; with and without a state.
    table.create_index(["state", "number"], name="_stagebox_jobs_by_state")
    table.create_index(["plugin_id", "number"], name="_stagebox_jobs_by_plugin")
    table.create_index(["plugin_id", "state", "number"], name="_stagebox_jobs_by_plugin_state")
    table.create_index(["kind", "number"], name="_stagebox_jobs_by_kind")
    table.create_index(["kind", "state", "number"], name="_stagebox_jobs_by_kind_state")


def _owners(db: Database) -> None:
    db.table(OWNERS).create(
        {"id": "text", "machine": "text", "process": "text", "expires_at": "integer"}, pk="id"
    )


def _schedule(db: Database) -> None:
    db.table(SCHEDULE).create(
        {
            "kind": "text",
            "plugin_id": "text",
            "every_ms": "integer",
            "next_due": "integer",
            "starter": "text",  # the owner that ran it at its start
        },
        pk="kind",
    )


MIGRATIONS: Final = (
    Migration("jobs.1.jobs", _jobs),
    Migration("jobs.2.owners", _owners),
    Migration("jobs.3.schedule", _schedule),
)
