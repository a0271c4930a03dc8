"""Scans over HTTP: begun, watched, resumed, cleaned up (media contract, 5.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.media.answers import success
from builtin_plugins.media.catalogue import MOVIE, TV_SHOW
from builtin_plugins.media.fields import Fields, one_parameter, problem, read_body
from builtin_plugins.media.frames import Frames
from builtin_plugins.media.libraries import Libraries
from builtin_plugins.media.scan_jobs import STATUSES, ScanJobs
from builtin_plugins.media.scan_options import (
    DEFAULTS,
    check_scan_settings,
    depth_of,
    media_kind,
)
from builtin_plugins.media.scan_paths import checked_folder, checked_path
from plugin_sdk import Database, Events, Request, Response, Settings

__all__ = ["Accepted", "ScanRoutes"]

_TYPES: Final = {"movie": MOVIE, "tv": TV_SHOW}
_NUMBER: Final = re.compile(r"[0-9]{1,1000}")
_SOCKET: Final = "Progress will be sent via WebSocket."
MAX_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that waits; ``ahead`` others come first."""

    job_id: str
    library_id: str
    library_name: str
    path: str
    kind: str
    depth: int
    ahead: int


class ScanRoutes:
    def __init__(
        self,
        database: Database,
        libraries: Libraries,
        jobs: ScanJobs,
        frames: Frames,
        events: Events,
        settings: Settings,
        start: Callable[[str], object],
    ) -> None:
        """``start`` begins to work on what waits."""
        self._db = database
        self._libraries = libraries
        self._jobs = jobs
        self._frames = frames
        self._events = events
        self._settings = settings
        self._start = start

    def begin(self, request: Request) -> Response:
        accepted = self.accept(read_body(request))
        self._start(accepted.job_id)
        data = {
            "libraryId": accepted.library_id,
            "libraryName": accepted.library_name,
            "path": accepted.path,
            "mediaType": accepted.kind,
            "maxDepth": accepted.depth,
            "jobId": accepted.job_id,
            "scanJobId": accepted.job_id,
            **_queued(accepted.ahead),
        }
        message = f"Scan started successfully. {_SOCKET}"
        if accepted.ahead:
            message = f"Scan queued. {accepted.ahead} scan(s) ahead in queue. {_SOCKET}"
        return success(data, message, 202)

    def accept(self, fields: Fields) -> Accepted:
        """Checks, finds or makes the library, and stores a waiting job. Raises Invalid,
        Conflict."""
        path = checked_path(fields, "path")
        if path is None:
            raise fields.refuse("path", "is required")
        name = fields.text("name", 1, 255)
        description = fields.text("description", 0, 1000)
        options = self._options(fields)
        kind: str = options["mediaType"]
        sent = fields.value("path").strip()
        checked_folder(path, sent, self._settings.get("allowedRoots") or ())
        values: dict[str, Any] = {"library_type": _TYPES[kind]}
        if name is not None:
            values["name"] = name
        if "description" in fields:
            values["description"] = description or None
        with self._db.transaction():
            library_id, change = self._library(path, values)
            job_id, ahead = self._jobs.create(
                library_id, path, _TYPES[kind], options, self._settings["maxQueuedScans"]
            )
            library_name = self._libraries.get(library_id)["name"]
            if change:
                data = {"id": library_id, "change": change}
                self._events.emit("media.library_changed", data)
        if change:
            self._frames.library(change, library_id, library_name)
        depth = depth_of(options, kind)
        return Accepted(job_id, library_id, library_name, path, kind, depth, ahead)

    def job(self, job_id: str) -> Response:
        return success(self._jobs.shown([self._jobs.get(job_id)])[0])

    def jobs(self, request: Request) -> Response:
        status = one_parameter(request, "status")
        library_id = one_parameter(request, "libraryId")
        if status is not None and status.upper() not in STATUSES:
            raise problem("status", f"status must be one of {', '.join(STATUSES)}")
        limit = min(_integer(request, "limit", 50), MAX_LIMIT)
        offset = _integer(request, "offset", 0)
        rows, total = self._jobs.page(status and status.upper(), library_id, limit, offset)
        pagination = {
            "total": total,
            "limit": limit,
            "offset": offset,
            "hasMore": offset + len(rows) < total,
        }
        return success({"jobs": self._jobs.shown(rows), "pagination": pagination})

    def resume(self, job_id: str) -> Response:
        ahead = self._jobs.resume(job_id, self._settings["maxQueuedScans"])
        self._start(job_id)
        message = "Scan will be resumed"
        data = {
            "scanJobId": job_id,
            "jobId": job_id,
            "status": "PENDING",
            **_queued(ahead),
            "message": message,
        }
        return success(data, message, 202)

    def cleanup(self, request: Request) -> Response:
        days = self._days(request)
        stale = self._jobs.fail_stale() if days is None else 0
        deleted = 0 if days is None else self._jobs.delete_old(days)
        message = f"Cleaned up {stale + deleted} scan job(s)"
        data = {
            "cleanedCount": stale + deleted,
            "staleCount": stale,
            "deletedCount": deleted,
            "message": message,
        }
        return success(data, message)

    def _days(self, request: Request) -> int | None:
        text = one_parameter(request, "days")
        fields = read_body(request)
        if text is None:
            if not fields.form:
                return fields.integer("days", 1, 3650)
            text = fields.text("days", 0, 20)
            if text is None:
                return None
        if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= 3650:
            raise problem("days", "days must be an integer from 1 to 3650")
        return int(text)

    def _options(self, fields: Fields) -> dict[str, Any]:
        """Effective options: the stored settings, with what this scan says instead."""
        stored = self._settings.get("scanSettings", {})
        top = fields.text("mediaType", 1, 20)
        if top is not None and media_kind(top) is None:
            raise fields.refuse("mediaType", "must be movie or tv")
        given: dict[str, Any] = {}
        if fields.value("options") is not None:
            given = check_scan_settings(fields.value("options"), "options", any_kind=True)
        depths = {**stored.get("mediaTypeDepth", {}), **given.get("mediaTypeDepth", {})}
        options: dict[str, Any] = {**stored, **given}
        if depths:
            options["mediaTypeDepth"] = depths
        kind = given.get("mediaType") or (top and media_kind(top)) or stored.get("mediaType")
        return {
            "followSymlinks": DEFAULTS["followSymlinks"],
            **options,
            "mediaType": kind or "movie",
        }

    def _library(self, path: str, values: Mapping[str, Any]) -> tuple[str, str | None]:
        """The library of a path, and whether it was ``created`` or ``updated``."""
        known = self._libraries.by_path(path)
        if known is not None:
            changed = self._libraries.change(known["id"], values)
            return known["id"], "updated" if changed else None
        name = path.rpartition("/")[2].strip() or "Untitled Library"
        made = {"name": name[:255], **values, "library_path": path}
        return self._libraries.create(made), "created"


def _queued(ahead: int) -> dict[str, Any]:
    return {"queued": True, "queuePosition": ahead} if ahead else {"queued": False}


def _integer(request: Request, name: str, default: int) -> int:
    text = one_parameter(request, name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise problem(name, f"{name} must be an integer of at least 0")
    return int(text)
