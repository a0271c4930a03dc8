# ruff: noqa: S608 (only names of placeholders and constants are put together; values are bound)
"""Rows of scan jobs: queued, begun, resumed, ended (media contract, 5.6, 7.1, 7.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from builtin_plugins.media.ids import Ids, may_be_kept
from builtin_plugins.media.statements import chunks, named_list
from plugin_sdk import Clock, Conflict, Database, NotFound, Row

__all__ = ["ACTIVE", "BATCHES", "STATUSES", "Overtaken", "ScanJobs", "percent"]

STATUSES: Final = ("PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "PAUSED")
ACTIVE: Final = "('PENDING', 'IN_PROGRESS')"
BATCHES: Final = {"TV_SHOW": 5, "MOVIE": 25}
STALE_MS: Final = 6 * 3600 * 1000
DAY_MS: Final = 24 * 3600 * 1000
_MOST_ROWS: Final = 2**62  # as far as databases count


class Overtaken(Exception):
    """Another worker, or an operator, took the job away: nothing may be written any more."""


class ScanJobs:
    """All jobs. A worker writes under the run number that it was given by `begin`."""

    def __init__(self, database: Database, ids: Ids, clock: Clock) -> None:
        self._db = database
        self._ids = ids
        self._clock = clock

    # Asking

    def find(self, job_id: str) -> Row | None:
        return self._db.table("scan_job").get(job_id) if may_be_kept(job_id) else None

    def get(self, job_id: str) -> Row:
        """Raises NotFound."""
        row = self.find(job_id)
        if row is None:
            raise NotFound(f"Scan job with identifier '{job_id}' not found", code="RESOURCE")
        return row

    def active(self) -> list[str]:
        """Ids of the running job and of those that wait, in the order of their turn."""
        rows = self._db.query(
            f"SELECT id, status, created_at FROM scan_job WHERE status IN {ACTIVE}"
        )
        rows.sort(key=lambda row: (row["status"] != "IN_PROGRESS", row["created_at"], row["id"]))
        return [row["id"] for row in rows]

    def next(self) -> Row | None:
        """The job whose turn it is."""
        active = self.active()
        return self.find(active[0]) if active else None

    def page(
        self, status: str | None, library_id: str | None, limit: int, offset: int
    ) -> tuple[list[Row], int]:
        """Newest first, and how many there are in all."""
        given = {"status": status, "library_id": library_id}
        params: Row = {name: value for name, value in given.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in params)
        clause = f" WHERE {where}" if where else ""
        total = self._db.value(f"SELECT count(*) FROM scan_job{clause}", params)
        rows = self._db.query(
            f"SELECT * FROM scan_job{clause} ORDER BY created_at DESC, id DESC"
            " LIMIT :limit OFFSET :offset",
            {**params, "limit": limit, "offset": min(offset, _MOST_ROWS)},
        )
        return rows, int(total)

    def shown(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The job objects of the contract."""
        libraries = self._libraries(sorted({row["library_id"] for row in rows}))
        failed = self._failed([row["id"] for row in rows if row["failed_folders"]])
        waiting = any(row["status"] == "PENDING" for row in rows)
        places = {job_id: place for place, job_id in enumerate(self.active())} if waiting else {}
        return [self._shown(row, libraries, failed, places) for row in rows]

    def _libraries(self, ids: Sequence[str]) -> dict[str, Row]:
        if not ids:
            return {}
        names, values = named_list("l", ids)
        rows = self._db.query(
            f"SELECT id, name, library_path FROM library WHERE id IN ({names})",
            values,
        )
        return {row["id"]: row for row in rows}

    def _failed(self, ids: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        if ids:
            names, values = named_list("j", ids)
            rows = self._db.query(
                f"SELECT job_id, name FROM scan_folder WHERE job_id IN ({names})"
                " AND failed ORDER BY job_id, position",
                values,
            )
            for row in rows:
                found.setdefault(row["job_id"], []).append(row["name"])
        return found

    def _shown(
        self,
        row: Row,
        libraries: Mapping[str, Row],
        failed: Mapping[str, list[str]],
        places: Mapping[str, int],
    ) -> dict[str, Any]:
        library = libraries.get(row["library_id"])
        size, position = BATCHES[row["media_type"]], row["position"]
        total = row["total_folders"]
        batches = -(-total // size)
        return {
            "id": row["id"],
            "jobId": row["id"],
            "libraryId": row["library_id"],
            "library": library
            and {
                "id": library["id"],
                "name": library["name"],
                "libraryPath": library["library_path"],
            },
            "scanPath": row["scan_path"],
            "mediaType": row["media_type"],
            "status": row["status"],
            "metadataStatus": row["metadata_status"],
            "queuePosition": places.get(row["id"], 0) if row["status"] == "PENDING" else 0,
            "progress": {
                "currentBatch": min(batches, position // size + 1) if row["listed"] else 0,
                "totalBatches": batches,
                "processedFolders": row["processed_folders"],
                "failedFolders": row["failed_folders"],
                "totalFolders": total,
                "percentComplete": percent(row),
            },
            "scannedCount": row["scanned"],
            "itemsSaved": row["saved"],
            "skippedCount": row["skipped"],
            "metadataSuccessCount": row["found"],
            "metadataFailedCount": row["not_found"],
            "failedFolderNames": failed.get(row["id"], []),
            "error": row["error"],
            "timestamps": {
                "startedAt": self._iso(row["started_at"]),
                "lastBatchAt": self._iso(row["last_batch_at"]),
                "completedAt": self._iso(row["completed_at"]),
            },
            "createdAt": self._iso(row["created_at"]),
            "updatedAt": self._iso(row["updated_at"]),
        }

    def _iso(self, ms: int | None) -> str | None:
        return None if ms is None else self._clock.iso(ms)

    # Changing

    def create(
        self, library_id: str, path: str, kind: str, options: Mapping[str, Any], most: int
    ) -> tuple[str, int]:
        """A waiting job, and how many are ahead of it. To be called in the transaction that found
        the library. Raises Conflict when ``most`` are waiting."""
        active = self.active()
        waiting = self._db.value("SELECT count(*) FROM scan_job WHERE status = 'PENDING'")
        if int(waiting) >= most:
            raise Conflict(f"{waiting} scans are waiting already. Try again later.")
        job_id, now = self._ids.new(), self._clock.ms()
        self._db.table("scan_job").insert(
            {
                "id": job_id,
                "library_id": library_id,
                "scan_path": path,
                "media_type": kind,
                "status": "PENDING",
                "options": json.dumps(dict(options), ensure_ascii=False),
                "metadata_status": "NOT_STARTED",
                "created_at": now,
                "updated_at": now,
            }
        )
        return job_id, len(active)

    def begin(self, row: Row) -> Row | None:
        """Makes the job this worker's; None when it is nobody's to run any more."""
        now = self._clock.ms()
        with self._db.transaction():
            changed = self._db.execute(
                "UPDATE scan_job SET status = 'IN_PROGRESS', run = run + 1, error = NULL,"
                " completed_at = NULL, started_at = COALESCE(started_at, :now), updated_at = :now"
                f" WHERE id = :id AND run = :run AND status IN {ACTIVE}",
                {"id": row["id"], "run": row["run"], "now": now},
            )
            return self.find(row["id"]) if changed else None

    def write(self, job: Row, **values: Any) -> None:
        """Changes the worker's row; raises Overtaken when it is not its any more. ``job`` gets
        the new values."""
        values["updated_at"] = self._clock.ms()
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        changed = self._db.execute(
            f"UPDATE scan_job SET {assignments} WHERE id = :_id AND run = :_run"
            " AND status = 'IN_PROGRESS'",
            {**values, "_id": job["id"], "_run": job["run"]},
        )
        if not changed:
            raise Overtaken
        job.update(values)

    def is_mine(self, job: Row) -> bool:
        """Whether the worker may still write."""
        row = self.find(job["id"])
        return row is not None and (row["run"], row["status"]) == (job["run"], "IN_PROGRESS")

    def set_folders(self, job: Row, names: Sequence[str]) -> None:
        """The list of batch folders, with which the job's counting begins."""
        with self._db.transaction():
            self.write(job, listed=True, total_folders=len(names), position=0)
            table = self._db.table("scan_folder")
            table.delete_where("job_id = :id", {"id": job["id"]})
            table.insert_all(
                {"job_id": job["id"], "position": place, "name": name}
                for place, name in enumerate(names)
            )

    def folders(self, job_id: str, first: int, count: int) -> list[str]:
        """Names from a position on."""
        rows = self._db.query(
            "SELECT name FROM scan_folder WHERE job_id = :id AND position >= :first"
            " ORDER BY position LIMIT :count",
            {"id": job_id, "first": first, "count": count},
        )
        return [row["name"] for row in rows]

    def note_failed(self, job: Row, position: int) -> None:
        self._db.table("scan_folder").update((job["id"], position), {"failed": True})

    def resume(self, job_id: str, most: int) -> int:
        """Puts a failed or paused job back into the queue; returns how many are ahead. Raises
        NotFound, Conflict."""
        with self._db.transaction():
            row = self.get(job_id)
            if row["status"] not in ("FAILED", "PAUSED"):
                raise Conflict(f"The scan is {row['status']}: only FAILED and PAUSED ones resume.")
            if len(self.active()) > most:
                raise Conflict("Too many scans are waiting already. Try again later.")
            self._db.execute(
                "UPDATE scan_job SET status = 'PENDING', run = run + 1, error = NULL,"
                " completed_at = NULL, updated_at = :now WHERE id = :id",
                {"id": job_id, "now": self._clock.ms()},
            )
            return self.active().index(job_id)

    def pause(self) -> int:
        """All that run or wait, because the plugin is switched off."""
        return self._db.execute(
            "UPDATE scan_job SET status = 'PAUSED', run = run + 1, updated_at = :now"
            f" WHERE status IN {ACTIVE}",
            {"now": self._clock.ms()},
        )

    def fail(self, job_id: str, error: str, metadata_status: str | None = None) -> None:
        """An end that nothing can be said against, whoever runs it."""
        now = self._clock.ms()
        self._db.execute(
            "UPDATE scan_job SET status = 'FAILED', run = run + 1, error = :error,"
            " metadata_status = COALESCE(:metadata, metadata_status),"
            f" completed_at = :now, updated_at = :now WHERE id = :id AND status IN {ACTIVE}",
            {"id": job_id, "error": error, "metadata": metadata_status, "now": now},
        )

    def fail_stale(self) -> int:
        """Running jobs without a sign of life for six hours (5.6, cleanup)."""
        before = self._clock.ms() - STALE_MS
        with self._db.transaction():
            rows = self._db.query(
                "SELECT id FROM scan_job WHERE status = 'IN_PROGRESS'"
                " AND COALESCE(last_batch_at, started_at) < :before",
                {"before": before},
            )
            for row in rows:
                self.fail(row["id"], "The scan gave no sign of life for more than 6 hours")
        return len(rows)

    def delete_old(self, days: int) -> int:
        """Ended jobs older than so many days."""
        before = self._clock.ms() - days * DAY_MS
        with self._db.transaction():
            rows = self._db.query(
                "SELECT id FROM scan_job WHERE status IN ('COMPLETED', 'FAILED')"
                " AND completed_at < :before",
                {"before": before},
            )
            for some in chunks([row["id"] for row in rows]):
                names, values = named_list("j", some)
                self._db.execute(f"DELETE FROM scan_job WHERE id IN ({names})", values)
        return len(rows)


def percent(row: Row) -> int:
    """Of folders, rounded down (5.6)."""
    if row["status"] == "COMPLETED":
        return 100
    done, total = row["processed_folders"] + row["failed_folders"], row["total_folders"]
    return 100 * done // total if total else 0
