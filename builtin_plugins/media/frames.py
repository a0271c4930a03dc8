"""What clients at ``/ws`` are told about scans and libraries (media contract, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.media.scan_jobs import percent
from plugin_sdk import Clock, Realtime, Row

__all__ = ["Frames"]


class Frames:
    def __init__(self, realtime: Realtime, clock: Clock) -> None:
        self._realtime = realtime
        self._clock = clock
        self._stamp = (-1, "")

    def _now(self) -> str:
        """Frames come in bursts: those of one millisecond share the text."""
        ms, stamp = self._clock.ms(), self._stamp
        if stamp[0] != ms:
            stamp = self._stamp = (ms, self._clock.iso(ms))
        return stamp[1]

    def progress(self, job: Row, phase: str, message: str, **more: Any) -> dict[str, Any]:
        """A frame as the job stands now; it is sent by `send`."""
        return {
            "type": "scan:progress",
            "phase": phase,
            "progress": percent(job),
            "current": job["processed_folders"] + job["failed_folders"],
            "total": job["total_folders"],
            "message": message,
            "libraryId": job["library_id"],
            "scanJobId": job["id"],
            "timestamp": self._now(),
            **more,
        }

    def batch_complete(self, job: Row, folder: str, saved: int, total: int) -> dict[str, Any]:
        done = {"folderName": folder, "itemsSaved": saved, "totalItems": total}
        text = f"{folder}: {saved} of {total}"
        return self.progress(job, "batch-complete", text, batchItemComplete=done)

    def folder_failed(self, job: Row, folder: str, error: str) -> dict[str, Any]:
        return self._error(job, error, fatal=False, folderName=folder)

    def complete(self, job: Row) -> None:
        self.send(
            {
                "type": "scan:complete",
                "libraryId": job["library_id"],
                "scanJobId": job["id"],
                "totalItems": job["saved"],
                "failedFolders": job["failed_folders"],
                "message": f"Scan complete: {job['saved']} items",
                "timestamp": self._now(),
            }
        )

    def failed(self, job: Row, error: str) -> None:
        self.send(self._error(job, error, fatal=True))

    def library(self, what: str, library_id: str, name: str) -> None:
        """``created``, ``updated`` or ``deleted``."""
        self.send(
            {
                "type": f"library:{what}",
                "libraryId": library_id,
                "libraryName": name,
                "timestamp": self._now(),
            }
        )

    def send(self, frame: Mapping[str, Any]) -> None:
        self._realtime.broadcast(frame)

    def _error(self, job: Row, error: str, *, fatal: bool, **more: Any) -> dict[str, Any]:
        return {
            "type": "scan:error",
            "error": error,
            "libraryId": job["library_id"],
            "scanJobId": job["id"],
            "fatal": fatal,
            **more,
            "timestamp": self._now(),
        }
