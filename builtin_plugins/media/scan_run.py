"""One run of one scan: list, walk, look up, store, tidy up (media contract, 7)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.media.chain import Chain
from builtin_plugins.media.discovery import FolderFailed, Stopped, Tree, is_gone
from builtin_plugins.media.film_scan import FilmScan
from builtin_plugins.media.folder_plan import Folder, KindOfScan, Known, Plan
from builtin_plugins.media.lookups import Lookups
from builtin_plugins.media.scan_jobs import BATCHES, Overtaken
from builtin_plugins.media.scan_options import Rules
from builtin_plugins.media.show_scan import ShowScan
from builtin_plugins.media.workshop import Workshop
from plugin_sdk import Row

__all__ = ["ScanFailed", "ScanRun"]

_GROUP_SECONDS: Final = 0.25
_NO_FILES: Final[Known] = {}
Wait = Callable[[float], bool]


class ScanFailed(Exception):
    """The job cannot go on; the text says why."""


class ScanRun:
    """``job`` is the row as this run has written it.

    Folders in which nothing is new are committed together, a quarter of a second's worth at
    most: their progress is told when it is stored, so a rescan does not wait for the disk with
    each of them.
    """

    def __init__(
        self,
        shop: Workshop,
        job: Row,
        resumed: bool,
        stopped: Callable[[], bool],
        wait: Wait,
        tell: Callable[[int, int, str], None],
    ) -> None:
        self.job = job
        self._shop = shop
        self._resumed = resumed
        self._stopped = stopped
        self._tell = tell
        options = json.loads(job["options"])
        kind = "tv" if job["media_type"] == "TV_SHOW" else "movie"
        self._kind = kind
        rows, clock, log = shop.rows, shop.clock, shop.log
        chain = Chain(rows, clock, log, stopped, shop.told)
        self._lookups = Lookups(chain, shop.pictures, shop.catalogue, stopped)
        self._tree = Tree(job["scan_path"], Rules.of(options, kind), log, wait)
        self._scan = self._kind_of_scan(kind, bool(options.get("rescan")))
        self._held: list[Mapping[str, Any]] = []
        self._counts: dict[str, int] = {}
        self._held_since = 0.0

    def _kind_of_scan(self, kind: str, rescan: bool) -> KindOfScan:
        shop = self._shop
        last_year: Callable[[], int] = lambda: shop.clock.now().year + 1  # noqa: E731
        parts = (shop.db, shop.catalogue, shop.files, self._lookups)
        if kind == "tv":
            return ShowScan(*parts, shop.log, rescan=rescan, last_year=last_year)
        return FilmScan(*parts, rescan=rescan, last_year=last_year)

    def close(self) -> None:
        self._lookups.close()

    def work(self) -> None:
        """To the end; raises ScanFailed, Overtaken, Stopped."""
        job, frames = self.job, self._shop.frames
        if not job["listed"]:
            frames.send(frames.progress(job, "discovering", "Looking for folders"))
            self._list()
            frames.send(frames.progress(job, "batching", f"{job['total_folders']} folders"))
        else:
            text = "Resuming scan job…" if self._resumed else "Going on"
            frames.send(frames.progress(job, "batching", text))
        size = BATCHES[job["media_type"]]
        while job["position"] < job["total_folders"]:
            count = size - job["position"] % size
            names = self._shop.jobs.folders(job["id"], job["position"], count)
            if not names:
                raise Overtaken
            self._batch(names)
            frames.send(frames.progress(job, "batching", "Batch complete"))
        self._finish()

    def metadata_status(self, *, ended: bool = False) -> str:
        job = self.job
        if not ended:
            return "PROCESSING" if job["lookups"] else str(job["metadata_status"])
        if job["lookup_errors"]:
            return "FAILED"
        if job["lookups"]:
            return "COMPLETED"
        self._lookups.chain.read()
        return "COMPLETED" if self._lookups.chain.usable(self._kind) else "NOT_STARTED"

    def tell_finished(self, status: str) -> None:
        """Inside the transaction that ends the job."""
        job = self.job
        self._shop.events.emit(
            "media.scan_finished",
            {
                "id": job["id"],
                "libraryId": job["library_id"],
                "status": status,
                "itemsSaved": job["saved"],
            },
        )

    # Before the first folder

    def _list(self) -> None:
        try:
            names, entries = self._tree.batch_folders()
        except OSError:
            raise ScanFailed(f"Scan root is not readable: {self.job['scan_path']}") from None
        except FolderFailed as failure:
            raise ScanFailed(str(failure)) from None
        if not entries and self._library_has_files():
            raise ScanFailed("Scan root is empty; nothing was removed")
        self._shop.jobs.set_folders(self.job, names)

    def _library_has_files(self) -> bool:
        found = self._shop.db.value(
            "SELECT 1 FROM library_file WHERE library_id = :id LIMIT 1",
            {"id": self.job["library_id"]},
        )
        return found is not None

    # Folder by folder

    def _batch(self, names: Sequence[str]) -> None:
        known = self._scan.known(self.job["library_id"], names)
        for name in names:
            if self._stopped():
                self._commit_held()
                raise Stopped
            self._folder(name, known.get(name, _NO_FILES))
        self._commit_held()

    def _folder(self, name: str, known: Known) -> None:
        job, frames = self.job, self._shop.frames
        self._hold(frames.progress(job, "scanning", f"Scanning {name}"))
        try:
            found = self._tree.files(name)
        except FolderFailed as failure:
            self._failed(name, str(failure))
            return
        except Stopped:
            self._commit_held()
            raise
        folder = Folder(job["library_id"], job["scan_path"], name)

        def phase(word: str, text: str) -> None:
            self._commit_held()
            if not self._shop.jobs.is_mine(job):
                raise Overtaken
            frames.send(frames.progress(job, word, text))

        plan = self._scan.plan(folder, found, known, phase)
        plan.skipped += self._tree.skipped
        plan.scanned += self._tree.skipped
        total = len(found)
        if plan.quiet:
            self._count(plan, name, total)
            if time.monotonic() - self._held_since > _GROUP_SECONDS:
                self._commit_held()
            return
        self._commit_held()
        self._store(name, plan, total)

    def _store(self, name: str, plan: Plan, total: int) -> None:
        shop, job, frames = self._shop, self.job, self._shop.frames
        if plan.storing:
            frames.send(frames.progress(job, "saving", f"Saving {name}"))
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):  # before anything that a deleted library would refuse
                raise Overtaken
            for store in plan.storing:
                plan.saved += store()
            if plan.gone:
                shop.libraries.unlink(job["library_id"], plan.gone)
            shop.write_state()
            self._count(plan, name, total)
            frames_held = self._write_held()
        self._send(frames_held)
        self._lookups.lighten(plan.keys)

    def _failed(self, name: str, error: str) -> None:
        shop, job = self._shop, self.job
        self._commit_held()
        with shop.db.transaction():
            shop.jobs.note_failed(job, job["position"])
            shop.jobs.write(
                job,
                position=job["position"] + 1,
                failed_folders=job["failed_folders"] + 1,
                last_batch_at=shop.clock.ms(),
            )
        shop.log.warning("Folder %s failed: %s", name, error)
        shop.frames.send(shop.frames.folder_failed(job, name, error))

    # Counting: frames wait for the commit of what they tell

    def _count(self, plan: Plan, name: str, total: int) -> None:
        job = self.job
        added = {
            "position": 1,
            "processed_folders": 1,
            "scanned": plan.scanned,
            "saved": plan.saved,
            "skipped": plan.skipped,
            "lookups": plan.lookups,
            "found": plan.found,
            "not_found": plan.not_found,
            "lookup_errors": plan.errors,
        }
        for column, number in added.items():
            self._counts[column] = self._counts.get(column, 0) + number
            job[column] += number
        self._held.append(self._shop.frames.batch_complete(job, name, plan.saved, total))

    def _hold(self, frame: Mapping[str, Any]) -> None:
        if not self._held:
            self._held_since = time.monotonic()
            self._shop.frames.send(frame)
        else:
            self._held.append(frame)

    def _commit_held(self) -> None:
        """Stores what was counted, then sends what was held back."""
        if self._counts:
            with self._shop.db.transaction():
                frames = self._write_held()
        else:
            frames, self._held = self._held, []
        self._send(frames)

    def _write_held(self) -> list[Mapping[str, Any]]:
        """Inside a transaction; the frames that may be sent after it."""
        job = self.job
        self._shop.jobs.write(
            job,
            **{column: job[column] for column in self._counts},
            metadata_status=self.metadata_status(),
            last_batch_at=self._shop.clock.ms(),
        )
        self._counts = {}
        frames, self._held = self._held, []
        return frames

    def _send(self, frames: Sequence[Mapping[str, Any]]) -> None:
        for frame in frames:
            self._shop.frames.send(frame)
        job = self.job
        done = job["processed_folders"] + job["failed_folders"]
        self._tell(done, job["total_folders"], job["scan_path"])

    # After the last folder

    def _finish(self) -> None:
        shop, job = self._shop, self.job
        gone = self._vanished()
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):
                raise Overtaken
            shop.libraries.unlink(job["library_id"], gone)
            shop.jobs.write(
                job,
                status="COMPLETED",
                metadata_status=self.metadata_status(ended=True),
                completed_at=shop.clock.ms(),
            )
            self.tell_finished("COMPLETED")

    def _vanished(self) -> list[str]:
        """Files of batch folders that are gone, and of the library's former place; nothing while
        the root cannot be listed or is empty."""
        job = self.job
        try:
            if not os.listdir(job["scan_path"]):  # noqa: PTH208 (one call, no objects)
                return []
        except OSError:
            return []
        listed = set(self._shop.jobs.all_folders(job["id"]))
        prefix = job["scan_path"].rstrip("/") + "/"
        gone: list[str] = []
        rows = self._shop.db.query(
            "SELECT l.folder, f.id, f.path FROM library_file l JOIN file f ON f.id = l.file_id"
            " WHERE l.library_id = :id",
            {"id": job["library_id"]},
        )
        for row in rows:
            inside = row["path"].startswith(prefix)
            if not inside or (row["folder"] not in listed and is_gone(row["path"])):
                gone.append(row["id"])
        return gone
