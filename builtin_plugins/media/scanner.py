"""The scan job: takes what waits, one after the other (media contract, 7.1, 7.2)."""

from __future__ import annotations

from collections.abc import Callable

from builtin_plugins.media.discovery import Stopped
from builtin_plugins.media.scan_jobs import Overtaken
from builtin_plugins.media.scan_run import ScanFailed, ScanRun
from builtin_plugins.media.workshop import Workshop
from plugin_sdk import JobRun, Row

__all__ = ["Scanner"]


class Scanner:
    def __init__(self, shop: Workshop) -> None:
        self._shop = shop

    def work(self, run: JobRun) -> int:
        """Runs jobs until none waits; returns how many. Nothing that happens in one of them
        keeps the next from running."""
        done = 0
        while not run.cancelled:
            waiting = self._shop.jobs.next()
            if waiting is None:
                break
            job = self._shop.jobs.begin(waiting)
            if job is None:  # taken away between two statements
                continue
            try:
                self._run(job, waiting["started_at"] is not None, run)
            except Stopped:
                break
            done += 1
        return done

    def _run(self, job: Row, resumed: bool, run: JobRun) -> None:
        shop = self._shop
        shop.log.info("Scan %s of %s begins.", job["id"], job["scan_path"])
        shop.events.emit("media.scan_started", {"id": job["id"], "libraryId": job["library_id"]})
        scan = ScanRun(shop, job, resumed, lambda: run.cancelled, run.sleep, _progress_of(run))
        try:
            scan.work()
        except Stopped:
            if run.cancelled:
                raise
            self._overtaken(job)
            return
        except Overtaken:
            self._overtaken(job)
            return
        except ScanFailed as failure:
            self._fail(scan, str(failure))
            return
        except Exception as error:  # one job's fault; the next ones go on
            shop.log.exception("Scan %s failed unexpectedly.", job["id"])
            self._fail(scan, f"Unexpected error: {type(error).__name__}")
            return
        finally:
            scan.close()
        shop.log.info("Scan %s is complete: %d items.", job["id"], job["saved"])
        shop.frames.complete(job)

    def _fail(self, scan: ScanRun, error: str) -> None:
        shop, job = self._shop, scan.job
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):
                self._overtaken(job)
                return
            shop.jobs.fail(job["id"], error, scan.metadata_status(ended=True))
            scan.tell_finished("FAILED")
        shop.log.error("Scan %s failed: %s", job["id"], error)
        shop.frames.failed(job, error)

    def _overtaken(self, job: Row) -> None:
        """The row was deleted with its library, or ended by cleanup, or paused."""
        row = self._shop.jobs.find(job["id"])
        if row is None:
            error = "The library was deleted"
        elif row["status"] == "FAILED":
            error = row["error"] or "The scan was ended"
        else:
            return
        self._shop.log.error("Scan %s was ended: %s", job["id"], error)
        self._shop.frames.failed(job, error)


def _progress_of(run: JobRun) -> Callable[[int, int, str], None]:
    return lambda done, total, text: run.progress(done, total, text)
