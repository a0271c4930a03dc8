"""JSON shapes of the routes, and how values become them."""

from __future__ import annotations

from typing import Any, Final

from plugin_sdk import Clock, JobInfo
from plugin_sdk.operations import BackupFile, BackupSummary, RestoreOutcome

__all__ = [
    "BACKUPS",
    "DATA",
    "JOB",
    "JOBS",
    "JOBS_QUERY",
    "LOG",
    "LOG_QUERY",
    "NEW_BACKUP",
    "OVERVIEW",
    "TRIAL",
    "backup_json",
    "job_json",
    "outcome_json",
    "summary_json",
]

_STATES: Final = ["queued", "running", "succeeded", "failed", "cancelled"]
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}

JOB: Final = {
    "type": "object",
    "required": ["id", "plugin", "name", "state", "done", "total", "text", "createdAt"],
    "properties": {
        "id": {"type": "string"},
        "plugin": {"type": "string"},
        "name": {"type": "string"},
        "state": {"enum": _STATES},
        "done": {"type": "integer"},
        "total": {"type": "integer", "description": "0: not known"},
        "text": {"type": "string"},
        "error": {"type": ["string", "null"]},
        "result": {},
        "attempt": {"type": "integer"},
        "cancelRequested": {"type": "boolean"},
        "createdAt": _TIME,
        "startedAt": _TIME,
        "finishedAt": _TIME,
    },
}
JOBS: Final = {"type": "array", "items": JOB}
JOBS_QUERY: Final = {
    "type": "object",
    "properties": {
        "plugin": {"type": "string"},
        "state": {"enum": _STATES},
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    },
}
LOG_QUERY: Final = {
    "type": "object",
    "properties": {
        "level": {
            "enum": ["error", "warn", "info", "http", "debug"],
            "description": "This level and the more urgent ones",
        },
        "plugin": {"type": "string"},
        "text": {"type": "string", "maxLength": 200, "description": "In the message, in any case"},
        "since": {
            "type": "string",
            "maxLength": 40,
            "description": "Only records of this time (as in `time`) or later",
        },
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200},
    },
}
LOG: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["time", "level", "logger", "message"],
        "properties": {
            "time": {"type": "string"},
            "level": {"type": "string"},
            "logger": {"type": "string"},
            "message": {"type": "string"},
            "plugin": {"type": "string"},
            "request": {"type": "string"},
            "incident": {"type": "string"},
            "trace": {"type": "string"},
        },
    },
}
NEW_BACKUP: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"name": {"type": "string", "description": "By default from the time"}},
}
BACKUPS: Final = {
    "type": "object",
    "required": ["backups", "pending", "lastRestore"],
    "properties": {
        "backups": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "size", "modifiedAt"],
                "properties": {
                    "name": {"type": "string"},
                    "size": {"type": "integer"},
                    "modifiedAt": _TIME,
                },
            },
        },
        "pending": {"type": ["string", "null"]},
        "lastRestore": {"type": ["object", "null"]},
    },
}
DATA: Final = {
    "type": "object",
    "required": ["keys", "bytes", "tables", "blobs"],
    "properties": {
        "keys": {"type": "integer"},
        "bytes": {"type": "integer", "description": "Of the database"},
        "tables": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "rows"],
                "properties": {"name": {"type": "string"}, "rows": {"type": "integer"}},
            },
        },
        "blobs": {
            "type": "object",
            "required": ["count", "bytes"],
            "properties": {"count": {"type": "integer"}, "bytes": {"type": "integer"}},
        },
    },
}
OVERVIEW: Final = {
    "type": "object",
    "required": ["version", "sdk", "startedAt", "listeners", "exposed", "disk", "database"],
    "properties": {
        "load": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Calls, failures and seconds of the process that answers",
        },
        "otherProcesses": {
            "type": "integer",
            "description": "How many more serve on the same database, with figures of their own",
        },
    },
}
TRIAL: Final = {
    "type": "object",
    "required": ["message"],
    "properties": {"message": {"type": "string"}},
}


def job_json(job: JobInfo, clock: Clock) -> dict[str, Any]:
    """`JOB`. What it was started with stays out: there may be secrets in it."""

    def iso(ms: int | None) -> str | None:
        return None if ms is None else clock.iso(ms)

    return {
        "id": job.id,
        "plugin": job.plugin_id,
        "name": job.name,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "text": job.text,
        "error": job.error,
        "result": job.result,
        "attempt": job.attempt,
        "cancelRequested": job.cancel_requested,
        "createdAt": iso(job.created_at),
        "startedAt": iso(job.started_at),
        "finishedAt": iso(job.finished_at),
    }


def backup_json(backup: BackupFile, clock: Clock) -> dict[str, Any]:
    """One of `BACKUPS`."""
    return {
        "name": backup.name,
        "size": backup.size,
        "modifiedAt": clock.iso(backup.modified_at),
    }


def outcome_json(outcome: RestoreOutcome | None, clock: Clock) -> dict[str, Any] | None:
    """``lastRestore`` of `BACKUPS`."""
    if outcome is None:
        return None
    return {
        "name": outcome.name,
        "succeeded": outcome.succeeded,
        "message": outcome.message,
        "at": clock.iso(outcome.at),
    }


def summary_json(summary: BackupSummary) -> dict[str, Any]:
    """What an archive says of itself."""
    return {
        "created": summary.created,
        "version": summary.version,
        "databases": summary.databases,
        "files": summary.files,
        "blobs": summary.blobs,
        "size": summary.size,
    }
