"""One run of one scan: list, walk, look up, store, tidy up (media contract, 7)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.media.chain import Chain
from builtin_plugins.media.discovery import FolderFailed, FoundFile, Stopped, Tree
from builtin_plugins.media.film_scan import FilmScan
from builtin_plugins.media.folder_memory import Remembered, digest_of
from builtin_plugins.media.folder_plan import Folder, KindOfScan, Plan
from builtin_plugins.media.kept_answers import KeptAnswers
from builtin_plugins.media.known_ahead import KnownAhead
from builtin_plugins.media.library_files import LibraryFiles
from builtin_plugins.media.lookups import Lookups
from builtin_plugins.media.patterns import PatternTooSlow
from builtin_plugins.media.scan_jobs import BATCHES, Overtaken
from builtin_plugins.media.scan_options import Rules
from builtin_plugins.media.show_scan import ShowScan
from builtin_plugins.media.workshop import Workshop
from plugin_sdk import Row

__all__ = ["ScanFailed", "ScanRun"]

_GROUP_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.25
_PHASES: Final = ("fetching-metadata", "fetching-episodes")  # in this order, once in a folder
_AHEAD: Final = 4  # batches whose known files are asked for at one go
_LOOKED_UP: Final = ("lookups", "found", "not_found", "lookup_errors")
_COUNTED: Final = (
    "position",
    "processed_folders",
    "scanned",
    "saved",
    "skipped",
    *_LOOKED_UP,
)

Wait = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class _Told:
    """A phase that is told in its turn."""

    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class _Memory:
    """What was remembered of a folder, and what is to be from now on."""

    before: Remembered | None
    after: Remembered | None


@dataclass(frozen=True, slots=True)
class _Done:
    """A folder that was looked at; ``total`` is how many films or episodes lie in it."""

    plan: Plan
    name: str
    total: int
    memory: _Memory


class ScanFailed(Exception):
    """The job cannot go on; the text says why."""


class ScanRun:
    """``job`` is the row as this run has written it.

    Folders about which no provider was asked are committed together, a quarter of a second's
    worth at most, and told of after that: a scan does not wait for the disk with each of them.
    A folder for which something was fetched is committed at once; until then its answers are kept
    one by one, so that a crash costs no second request. One of very many files is stored in parts,
    and counted when it is done: ``part`` of the job says how far it is.
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
        self._cancelled = stopped
        self._looked = 0.0
        self._lost = False
        self._tell = tell
        options = json.loads(job["options"])
        kind = "tv" if job["media_type"] == "TV_SHOW" else "movie"
        self._kind = kind
        rows, clock, log = shop.rows, shop.clock, shop.log
        kept = KeptAnswers(shop.db, job)
        chain = Chain(rows, clock, log, self._stopped, shop.told, kept)
        self._lookups = Lookups(chain, shop.pictures, shop.catalogue, kept, self._stopped)
        self._tree = Tree(job["scan_path"], Rules.of(options, kind), log, wait)
        self._rescan = bool(options.get("rescan"))
        self._scan = self._kind_of_scan(kind, self._rescan)
        self._files = LibraryFiles(shop.db, job)
        self._ahead = KnownAhead(self._scan, shop.memory, job["library_id"])
        self._held: list[_Told | _Done] = []
        self._held_since = 0.0
        self._listed: Sequence[str] = ()

    def _kind_of_scan(self, kind: str, rescan: bool) -> KindOfScan:
        shop = self._shop
        last_year: Callable[[], int] = lambda: shop.clock.now().year + 1  # noqa: E731
        parts = (shop.db, shop.catalogue, shop.files, self._lookups, shop.log)
        if kind == "tv":
            return ShowScan(*parts, rescan=rescan, last_year=last_year)
        return FilmScan(*parts, rescan=rescan, last_year=last_year)

    def close(self) -> None:
        self._lookups.close()

    def _stopped(self) -> bool:
        """Whether to stop between two requests, and while waiting: the process ends, or the job
        is not ours any more. Asked by the threads that look up as well."""
        if self._cancelled() or self._lost:
            return True
        now = time.monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._lost = not self._shop.jobs.is_mine(self.job)
        return self._lost

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
        position = job["position"]
        if position:
            self._tree.remember(self._files.walked(position))
        while position < job["total_folders"]:
            names = self._names(position, _AHEAD * size)
            if not names:
                raise Overtaken
            self._ahead.read(names)
            for name in names:
                if self._stopped():
                    self._commit_held()
                    raise Stopped
                self._folder(name)
                position += 1
                if position % size == 0 or position == job["total_folders"]:
                    self._hold("batching", "Batch complete")
        self._commit_held()
        self._finish()

    def _names(self, position: int, count: int) -> Sequence[str]:
        """Of folders: as listed by this run, else as an earlier one kept them."""
        if self._listed:
            return self._listed[position : position + count]
        return self._shop.jobs.folders(self.job["id"], position, count)

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
        except (FolderFailed, PatternTooSlow) as failure:
            raise ScanFailed(str(failure)) from None
        if not entries and self._files.any():
            raise ScanFailed("Scan root is empty; nothing was removed")
        self._shop.jobs.set_folders(self.job, names)
        self._listed = names

    # Folder by folder

    def _folder(self, name: str) -> None:
        self._hold("scanning", f"Scanning {name}")
        try:
            found = self._tree.files(name)
        except FolderFailed as failure:
            self._failed(name, str(failure))
            return
        except Stopped:
            self._commit_held()
            raise
        plan, remembered = self._plan(name, found)
        plan.skipped += self._tree.skipped
        plan.scanned += self._tree.skipped
        if plan.stores:
            self._hold("saving", f"Saving {name}")
        self._held.append(_Done(plan, name, len(found), remembered))
        if plan.lookups or time.monotonic() - self._held_since > _GROUP_SECONDS:
            self._commit_held()

    def _plan(self, name: str, found: Sequence[FoundFile]) -> tuple[Plan, _Memory]:
        job, frames = self.job, self._shop.frames
        before, digest = self._ahead.remembered(name), digest_of(self._kind, found)
        if before is not None and before.digest == digest and not self._rescan:
            plan = Plan(scanned=len(found), saved=before.saved, skipped=before.skipped)
            return plan, _Memory(before, before)

        told = -1

        def phase(word: str, text: str) -> None:
            nonlocal told
            self._commit_held()
            if not self._shop.jobs.is_mine(job):
                raise Overtaken
            if _PHASES.index(word) > told:
                told = _PHASES.index(word)
                frames.send(frames.progress(job, word, text))

        folder = Folder(job["library_id"], job["scan_path"], name, job["part"])
        plan = Plan()
        for more in self._scan.plans(folder, found, self._ahead.files(name), phase):
            if more.until is not None:
                self._commit_part(more, more.until)
            plan = plan.followed_by(more)
        after = Remembered(digest, plan.saved, plan.skipped) if plan.settled else None
        return plan, _Memory(before, after)

    def _commit_part(self, plan: Plan, until: str) -> None:
        """Stores a part of a folder; raises Stopped when that is enough for now."""
        shop, job = self._shop, self.job
        self._commit_held()
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):
                raise Overtaken
            plan.store()
            shop.write_state()
            self._lookups.settle()
            for column, count in zip(_LOOKED_UP, plan.looked_up(), strict=True):
                job[column] += count
            shop.jobs.write(
                job,
                **{column: job[column] for column in _LOOKED_UP},
                part=until,
                metadata_status=self.metadata_status(),
                last_batch_at=shop.clock.ms(),
            )
        self._lookups.lighten()
        plan.forget_lookups()
        if self._stopped():
            raise Stopped

    def _failed(self, name: str, error: str) -> None:
        shop, job = self._shop, self.job
        self._commit_held()
        with shop.db.transaction():
            shop.jobs.note_failed(job, job["position"])
            shop.jobs.write(
                job,
                position=job["position"] + 1,
                failed_folders=job["failed_folders"] + 1,
                part=None,
                last_batch_at=shop.clock.ms(),
            )
        shop.log.warning("Folder %s failed: %s", name, error)
        shop.frames.send(shop.frames.folder_failed(job, name, error))

    # Storing: what is told waits for the commit of what it tells

    def _hold(self, phase: str, text: str) -> None:
        if self._held:
            self._held.append(_Told(phase, text))
            return
        self._held_since = time.monotonic()
        self._shop.frames.send(self._shop.frames.progress(self.job, phase, text))

    def _commit_held(self) -> None:
        """Stores what is planned for the folders that are held, then tells of them."""
        shop, job = self._shop, self.job
        held, self._held = self._held, []
        if not any(isinstance(each, _Done) for each in held):
            for each in held:
                if isinstance(each, _Told):
                    shop.frames.send(shop.frames.progress(job, each.phase, each.text))
            return
        sent: list[Mapping[str, Any]] = []
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):  # before anything that a deleted library would refuse
                raise Overtaken
            forgotten = shop.memory.forgotten
            for each in held:
                if isinstance(each, _Told):
                    sent.append(shop.frames.progress(job, each.phase, each.text))
                else:
                    self._store(each.plan)
                    frame = shop.frames.batch_complete(job, each.name, each.plan.saved, each.total)
                    sent.append(frame)
            self._remember(held, stale=shop.memory.forgotten != forgotten)
            shop.write_state()
            self._lookups.settle()
            shop.jobs.write(
                job,
                **{column: job[column] for column in _COUNTED},
                part=None,
                metadata_status=self.metadata_status(),
                last_batch_at=shop.clock.ms(),
            )
        self._lookups.lighten()
        for made in sent:
            shop.frames.send(made)
        done = job["processed_folders"] + job["failed_folders"]
        self._tell(done, job["total_folders"], job["scan_path"])

    def _store(self, plan: Plan) -> None:
        job = self.job
        plan.store()
        if plan.gone:
            self._shop.libraries.unlink(job["library_id"], plan.gone)
        added = (1, 1, plan.scanned, plan.saved, plan.skipped, *plan.looked_up())
        for column, number in zip(_COUNTED, added, strict=True):
            job[column] += number

    def _remember(self, held: Sequence[_Told | _Done], *, stale: bool) -> None:
        """``stale``: what was stored now took something from files that may be in other folders
        that are held."""
        memory, library_id = self._shop.memory, self.job["library_id"]
        for each in held:
            if not isinstance(each, _Done) or each.memory.before == each.memory.after:
                continue
            if each.memory.after is None:
                memory.drop(library_id, each.name)
            elif not stale:
                memory.keep(library_id, each.name, each.memory.after)

    # After the last folder

    def _finish(self) -> None:
        shop, job = self._shop, self.job
        gone = self._files.vanished()
        with shop.db.transaction():
            if not shop.jobs.is_mine(job):
                raise Overtaken
            shop.libraries.unlink(job["library_id"], gone)
            self._lookups.kept.forget()
            shop.jobs.write(
                job,
                status="COMPLETED",
                metadata_status=self.metadata_status(ended=True),
                completed_at=shop.clock.ms(),
            )
            self.tell_finished("COMPLETED")
