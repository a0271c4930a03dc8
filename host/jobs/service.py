"""The job service: queueing, watching and stopping jobs; the layer above calls nothing else."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from host.db.engine import HostDatabase
from host.jobs.kinds import JobKind, KindTable, kind_name
from host.jobs.owners import Owners
from host.jobs.rounds import Round
from host.jobs.run import Run, encode
from host.jobs.runner import Runner
from host.jobs.schedule import Schedule
from host.jobs.store import JobStore
from plugin_sdk import (
    Clock,
    DatabaseUnavailable,
    Invalid,
    JobInfo,
    Jobs,
    JobState,
    Logger,
    NotFound,
)

__all__ = ["JobService"]

MAX_ARGS_BYTES: Final = 256 * 1024
_MAX_KEY: Final = 200
_LOOK_SECONDS: Final = 0.5
"""How often `wait` looks for what other processes finish."""


class JobService:
    """The jobs of one host process; several processes share one database.

    ``workers``: threads at most; one plugin may use all but one of them (but always one).
    ``lease_seconds``: how long a process that stopped renewing counts as alive.
    ``keep``: finished jobs of each kind that are kept. ``backoff_seconds``: wait before the second
    attempt; doubled for each further one, up to five minutes. ``poll_seconds``: how soon other
    processes' jobs and cancels are noticed.

    ``on_change`` is called with each job of this process that changed (progress included, a few
    times a second), on the thread that changed it. ``on_owners_lost`` is called with the ids of
    processes that were found dead: what else they left behind can be taken over.
    """

    def __init__(
        self,
        database: HostDatabase,
        clock: Clock,
        log: Logger,
        *,
        workers: int = 4,
        lease_seconds: float = 15,
        keep: int = 1000,
        backoff_seconds: float = 5.0,
        poll_seconds: float = 1.0,
    ) -> None:
        if workers < 1 or lease_seconds <= 0:
            raise Invalid("Jobs need at least one worker and a lease of more than 0 seconds.")
        self.on_change: Callable[[JobInfo], object] | None = None
        self.on_owners_lost: Callable[[Sequence[str]], object] | None = None
        self._database = database
        self._clock = clock
        self._log = log
        self._store = JobStore(database, keep)
        self._owners = Owners(database, clock, lease_seconds)
        self._schedule = Schedule(self._store, clock, self._owners)
        self._runner = Runner(
            self._store,
            self._owners,
            clock,
            log,
            workers=workers,
            backoff_seconds=backoff_seconds,
            changed=self._run_changed,
        )
        self._poll = Round(
            "jobs",
            poll_seconds,
            {
                "take over from dead processes": self._look_after_others,
                "look for cancelled jobs": self._follow_cancels,
                "give back what nobody runs": self._runner.tidy,
                "write progress": self._flush,
                "keep the schedule": self._tick,
                "look for jobs": self._look,
            },
            log,
        )
        self._heart = Round("jobs-heart", lease_seconds / 3, {"renew the lease": self._beat}, log)
        self._lease_seconds = lease_seconds
        self._renewed_at = 0.0
        self._judges_at = 0.0
        self._attends = False
        self._beating = threading.Lock()
        self._ticking = threading.Lock()
        self._news = threading.Condition()
        self._changes = 0
        self._prepared = False

    # -- life

    @property
    def owner(self) -> str:
        """The id of this process among those that share the database."""
        return self._owners.id

    def alive(self, owner: str) -> bool:
        """Whether the process of that id lives (its lease is valid, and if it is one of this
        machine, it is not gone)."""
        self._prepare()
        return owner == self.owner or self._owners.alive(owner)

    def attend(self) -> None:
        """This process lives from now on, as `alive` of all processes sees it; it runs no jobs
        before `start`."""
        if not self._attends:
            self._prepare()
            self._owners.enter()
            self._renewed_at = time.monotonic()
            self._attends = True
            self._heart.start()

    @property
    def alone(self) -> bool:
        """Whether no other process lives."""
        self._prepare()
        return not self._owners.living() - {self.owner}

    def start(self) -> None:
        """Begins to run jobs; first takes over what dead processes were running."""
        self.attend()
        self._take_over()
        self._runner.start()
        self._poll.start()

    def stop(self, timeout: float) -> None:
        """Tells all jobs to stop and waits for them; they are begun again at the next start, or
        by another process."""
        deadline = time.monotonic() + timeout
        self.rest(timeout)
        self._heart.stop(max(0.1, deadline - time.monotonic()))
        if self._attends:
            self._attends = False
            try:
                self._owners.leave()
            except DatabaseUnavailable as error:
                self._log.warning("This process's lease on jobs has to run out: %s", error)

    def rest(self, timeout: float) -> None:
        """Ends what runs, as `stop` does; to others this process lives until that is called."""
        deadline = time.monotonic() + timeout
        self._poll.stop(timeout)
        self._runner.stop(max(0.0, deadline - time.monotonic()))

    def declare(self, kinds: Sequence[JobKind]) -> None:
        """Replaces all kinds in one assignment. Running jobs of kinds that are gone are told to
        stop and go back to the queue. Kinds that `check_kinds` refuses are left out, and named in
        the log. Not to be called in a transaction of the host's database."""
        self._runner.replace(KindTable(kinds, lambda error: self._log.error("%s", error)))
        self._poll.wake()

    # -- for plugins

    def of(self, plugin_id: str) -> Jobs:
        """``context.jobs`` of a plugin."""
        return _PluginJobs(self, plugin_id)

    def queue(
        self, plugin_id: str, name: str, args: Mapping[str, Any] | None, key: str | None
    ) -> JobInfo:
        """See `plugin_sdk.Jobs.start`. A key is one of this plugin and this job name."""
        kind = self._runner.kinds.get(kind_name(plugin_id, name))
        if kind is None:
            raise NotFound(f'Plugin {plugin_id} declares no job "{name}".')
        what = f'The arguments of job "{name}"'
        if args is not None and not isinstance(args, Mapping):
            raise Invalid(f"{what} must be a JSON object, not {type(args).__name__}.")
        if key is not None and (not 0 < len(key) <= _MAX_KEY or key.startswith("@")):
            raise Invalid(f'The key of a job has 1 to {_MAX_KEY} characters and no "@" in front.')
        text = encode(what, dict(args or {}), MAX_ARGS_BYTES)
        self._prepare()
        info, new = self._store.insert(uuid.uuid4().hex, kind, text, key, self._clock.ms())
        if new:
            self._database.after_commit(partial(self._queued, info))
        return info

    # -- for admins and the plugin manager

    def get(self, job_id: str, plugin_id: str | None = None) -> JobInfo:
        """Raises NotFound, also for a job of another plugin than ``plugin_id``."""
        self._prepare()
        return self._store.get(job_id, plugin_id)

    def list_all(
        self,
        *,
        plugin_id: str | None = None,
        name: str | None = None,
        state: JobState | None = None,
        limit: int = 100,
    ) -> Sequence[JobInfo]:
        """Newest first, at most 1,000. ``name`` needs ``plugin_id``."""
        if name is not None and plugin_id is None:
            raise Invalid("Name the plugin too: job names are names within a plugin.")
        self._prepare()
        kind = kind_name(plugin_id, name) if plugin_id is not None and name is not None else None
        return self._store.find(plugin_id=plugin_id, kind=kind, state=state, limit=limit)

    def cancel(self, job_id: str, plugin_id: str | None = None) -> bool:
        """See `plugin_sdk.Jobs.cancel`."""
        self._prepare()
        info = self._store.cancel(job_id, plugin_id, self._clock.ms())
        if info is None:
            return False
        self._database.after_commit(partial(self._cancelled, info))
        return True

    def wait(self, job_id: str, timeout: float, plugin_id: str | None = None) -> JobInfo:
        """See `plugin_sdk.Jobs.wait`."""
        deadline = time.monotonic() + timeout
        while True:
            with self._news:
                changes = self._changes
            info = self.get(job_id, plugin_id)
            left = deadline - time.monotonic()
            if info.finished or left <= 0:
                return info
            with self._news:
                if self._changes == changes:
                    self._news.wait(min(left, _LOOK_SECONDS))

    def busy(self, plugin_id: str) -> bool:
        """Whether a job of this plugin runs in this process."""
        return bool(self._runner.runs(plugin_id))

    def interrupt(self, plugin_id: str, timeout: float) -> bool:
        """Has this process's jobs of a plugin stop and go back to the queue; none is begun here
        until `resume` or the next `declare` (or two minutes have passed). False when some did not
        stop within ``timeout`` seconds: those are left behind (they can write nothing any more),
        and their jobs are queued again. Not to be called in a transaction of the host's
        database."""
        return self._runner.interrupt(plugin_id, timeout)

    def resume(self, plugin_id: str) -> None:
        """Ends an `interrupt` without a `declare`: an upgrade failed, the old version goes on."""
        self._runner.resume(plugin_id)

    def purge(self, plugin_id: str) -> None:
        """Removes all jobs of a plugin and their schedule; those that run are told to stop."""
        self._prepare()
        for run in self._runner.runs(plugin_id):
            run.tell("lost")
        self._store.purge(plugin_id)
        with self._ticking:
            self._schedule.forget(plugin_id)

    # -- changes

    def _queued(self, info: JobInfo) -> None:
        self._runner.wake()
        self._tell(info)

    def _cancelled(self, info: JobInfo) -> None:
        if info.state == "running":
            for run in self._runner.runs(info.plugin_id):
                if run.id == info.id:
                    run.tell("cancel")
        self._tell(info)

    def _run_changed(self, run: Run) -> None:
        if self.on_change is None:
            self._tell(None)
            return
        try:
            info = self._store.get(run.id)
        except NotFound:  # purged or pruned
            return
        except DatabaseUnavailable:  # the run itself is more than what is told of it
            self._tell(None)
            return
        self._tell(info)

    def _tell(self, info: JobInfo | None) -> None:
        with self._news:
            self._changes += 1
            self._news.notify_all()
        if self.on_change is not None and info is not None:
            try:
                self.on_change(info)
            except Exception:
                self._log.exception("Telling of a change of job %s failed.", info.id)

    # -- rounds

    def _follow_cancels(self) -> None:
        if self._runner.runs():
            self._runner.cancel(self._store.cancels(self.owner))

    def _flush(self) -> None:
        for run in self._runner.runs():
            run.flush()

    def _tick(self) -> None:
        with self._ticking:
            kinds = self._runner.kinds
            self._schedule.keep(kinds)
            started = [job for kind in kinds.periodic if (job := self._schedule.tick(kind))]
        for job in started:
            self._queued(job)

    def _look(self) -> None:
        if self._runner.has_work():
            self._runner.wake()

    def _beat(self) -> None:
        # One at a time: who comes late would take the runs away that the first one let begin.
        with self._beating:
            if not self._owners.renew():
                self._log.warning("This process was taken for dead; its jobs run elsewhere now.")
                self._runner.lose_all()
                self._take_over()  # what it began since then too: nobody else would
                self._owners.enter()
            now = time.monotonic()
            if now - self._renewed_at > self._lease_seconds:
                # The database was away, for the others too: let them renew theirs first.
                self._judges_at = now + self._lease_seconds
            self._renewed_at = now

    def _look_after_others(self) -> None:
        """Unless this process itself could not renew its lease for a while."""
        if self.owner not in self._owners.living():
            self._beat()
        now = time.monotonic()
        if now >= self._judges_at and now - self._renewed_at <= self._lease_seconds:
            self._take_over()

    def _take_over(self) -> None:
        if not self._owners.some_dead() and not self._store.lost():
            return
        with self._database.transaction():
            dead = self._owners.bury()
            taken = self._store.take_over(self._clock.ms())
        if taken:
            self._log.warning("Took over %d job(s) of %d dead process(es).", taken, len(dead))
            self._runner.wake()
        if dead and self.on_owners_lost is not None:
            self.on_owners_lost(dead)

    def _prepare(self) -> None:
        if not self._prepared:
            self._store.prepare()
            self._database.after_commit(self._note_prepared)

    def _note_prepared(self) -> None:
        self._prepared = True


class _PluginJobs:
    """The SDK's Jobs for one plugin."""

    def __init__(self, service: JobService, plugin_id: str) -> None:
        self._service = service
        self._plugin_id = plugin_id

    def start(
        self, name: str, args: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JobInfo:
        return self._service.queue(self._plugin_id, name, args, key)

    def get(self, job_id: str) -> JobInfo:
        return self._service.get(job_id, self._plugin_id)

    def list(
        self, *, name: str | None = None, state: JobState | None = None, limit: int = 100
    ) -> Sequence[JobInfo]:
        return self._service.list_all(
            plugin_id=self._plugin_id, name=name, state=state, limit=limit
        )

    def cancel(self, job_id: str) -> bool:
        return self._service.cancel(job_id, self._plugin_id)

    def wait(self, job_id: str, timeout: float = 30.0) -> JobInfo:
        return self._service.wait(job_id, timeout, self._plugin_id)
