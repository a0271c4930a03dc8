"""The runner: takes jobs whose turn it is, runs them, and writes down what became of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from host.jobs.kinds import JobKind, KindTable
from host.jobs.owners import Owners
from host.jobs.run import Reason, Run, describe, encode
from host.jobs.store import Head, JobStore
from host.jobs.workers import Workers
from plugin_sdk import Clock, DatabaseUnavailable, JobState, Logger, Row, Unavailable

__all__ = ["Runner"]

MAX_RESULT_BYTES: Final = 256 * 1024
PAUSE_SECONDS: Final = 120.0
"""An interrupted plugin begins jobs again after this time, even if nobody resumes it."""
_MAX_DELAY_MS: Final = 300_000
_RETRY_SECONDS: Final = 1.0


class Runner:
    """The runs of this process. ``changed`` is told of each change of a run, without locks."""

    def __init__(
        self,
        store: JobStore,
        owners: Owners,
        clock: Clock,
        log: Logger,
        *,
        workers: int,
        backoff_seconds: float,
        changed: Callable[[Run], object],
    ) -> None:
        self.kinds = KindTable()
        self._store = store
        self._owners = owners
        self._clock = clock
        self._log = log
        self._backoff_ms = backoff_seconds * 1000
        self._per_plugin = max(1, workers - 1)  # the last worker is for the other plugins
        self._changed = changed
        self._workers = Workers(workers, self._work, log)
        self._taking = threading.Lock()
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._runs: dict[int, Run] = {}
        self._paused: dict[str, float] = {}
        self._stopping = threading.Event()
        self._unsure = False  # whether there may be leases of ours that nobody here knows of

    # -- from the service

    def start(self) -> None:
        self._stopping.clear()
        self._workers.start()

    def stop(self, timeout: float) -> None:
        """Tells all runs to stop; those that do not in time are left behind, and their jobs go
        back to the queue."""
        self._stopping.set()
        self._workers.close()
        for run in self.runs():
            run.tell("stopping")
        if not self._workers.join(timeout):
            for run in self.runs():
                self._give_up(run)

    def wake(self) -> None:
        """There may be jobs to take."""
        self._workers.wake()

    def replace(self, kinds: KindTable) -> None:
        """Runs of kinds that are gone are told to stop."""
        with self._taking:  # so that nothing of the old table is begun after this
            self.kinds = kinds
            self._paused.clear()
            for run in self.runs():
                if run.kind.kind not in kinds:
                    run.tell("gone")

    def interrupt(self, plugin_id: str, timeout: float) -> bool:
        """Stops a plugin's runs and begins none until `resume` or `replace`; False when some had
        to be left behind."""
        deadline = time.monotonic() + timeout
        with self._taking:
            self._paused[plugin_id] = time.monotonic() + PAUSE_SECONDS
        for run in self.runs(plugin_id):
            run.tell("gone")
        with self._lock:
            while self._of(plugin_id):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._ended.wait(left)
        hanging = self.runs(plugin_id)
        for run in hanging:
            self._give_up(run)
        return not hanging

    def resume(self, plugin_id: str) -> None:
        """Jobs of an interrupted plugin are begun again."""
        self._paused.pop(plugin_id, None)
        self.wake()

    def runs(self, plugin_id: str | None = None) -> list[Run]:
        with self._lock:
            return self._of(plugin_id)

    def tidy(self) -> None:
        """The database may have ended amid a commit, or before a job could be given back: what is
        leased to this process and runs nowhere goes back to the queue."""
        if not self._unsure:
            return
        with self._taking:
            numbers = [run.lease.number for run in self.runs()]
            if self._store.give_back(self._owners.id, numbers, self._clock.ms()):
                self._workers.wake()
            self._unsure = False

    def cancel(self, numbers: set[int]) -> None:
        for run in self.runs():
            if run.lease.number in numbers:
                run.tell("cancel")

    def lose_all(self) -> None:
        """This process was taken for dead: its jobs belong to others now."""
        for run in self.runs():
            run.tell("lost")

    # -- on the workers

    def _work(self) -> bool:
        run = self._take()
        if run is None:
            return False
        self._changed(run)
        result: Any = None
        error: BaseException | None = None
        try:
            result = encode("The job's result", run.kind.call(run), MAX_RESULT_BYTES)
        except BaseException as raised:
            error = raised
        try:
            self._conclude(run, result, error)
        finally:
            with self._lock:
                self._runs.pop(run.lease.number, None)
                self._ended.notify_all()
        self._changed(run)
        return True

    def _take(self) -> Run | None:
        with self._taking:
            eligible = [head for head in self._store.heads(self._clock.ms()) if self._may_run(head)]
            for head in eligible:
                kind = self.kinds.get(head.kind)
                if self._stopping.is_set() or kind is None or head.number is None:
                    continue
                row = self._claimed(head.number, kind)
                if row is not None:
                    run = Run(self._store, kind, row, self._changed)
                    with self._lock:
                        self._runs[run.lease.number] = run
                    if len(eligible) > 1 or kind.job.concurrency > 1:
                        self._workers.wake()  # there may be more for another worker
                    return run
        return None

    def _claimed(self, number: int, kind: JobKind) -> Row | None:
        try:
            return self._store.claim(number, kind, self._owners.id, self._clock.ms())
        except DatabaseUnavailable:
            self._unsure = True
            raise

    def has_work(self) -> bool:
        """Whether some job's turn has come; one query."""
        return any(self._may_run(head) for head in self._store.heads(self._clock.ms()))

    def _may_run(self, head: Head) -> bool:
        kind = self.kinds.get(head.kind)
        return (
            kind is not None
            and head.running < kind.job.concurrency
            and self._paused.get(kind.plugin_id, 0.0) <= time.monotonic()
            and len(self.runs(kind.plugin_id)) < self._per_plugin
        )

    def _conclude(self, run: Run, result: str | None, error: BaseException | None) -> None:
        """Writes down the end of a run; tries again while the database does not answer."""
        if error is not None and not (run.noticed and run.told):
            self._log.error(
                "Job %s of plugin %s failed (id %s, attempt %d).",
                *(run.kind.job.name, run.kind.plugin_id, run.id, run.attempt),
                exc_info=error,
            )
        reported = False
        while run.told != "lost":
            try:
                if not self._write_end(run, result, error):
                    run.tell("lost")
                break
            except Exception:
                if not reported:
                    reported = True
                    self._log.exception("The end of job %s could not be stored.", run.id)
                if self._stopping.wait(_RETRY_SECONDS):
                    self._unsure = True  # should this process go on
                    return  # else the lease runs out; the job is begun again
        if run.told == "lost":
            self._log.warning(
                "Job %s of plugin %s (id %s) was given up; its result is not kept.",
                *(run.kind.job.name, run.kind.plugin_id, run.id),
            )

    def _write_end(self, run: Run, result: str | None, error: BaseException | None) -> bool:
        now, kind, reached = self._clock.ms(), run.kind, run.reached
        told: Reason | None = run.told if run.noticed else None
        turned_away = isinstance(error, Unavailable) and run.told in ("gone", "stopping")
        if told in ("gone", "stopping") or turned_away:  # at the gate of a plugin that drains
            return self._store.requeue(run.lease, reached, now)
        if told == "cancel":
            state: JobState = "cancelled"
        elif error is None:
            state = "succeeded"
        elif run.failures + 1 < kind.job.attempts and run.told != "cancel":
            delay = min(_MAX_DELAY_MS, round(self._backoff_ms * 2**run.failures))
            line = describe(error)
            return self._store.requeue(run.lease, reached, now, error=line, delay=delay)
        else:
            state = "failed"
        line_or_none = describe(error) if error is not None and state == "failed" else None
        return self._store.finish(
            run.lease, kind.kind, state, reached, now, result=result, error=line_or_none
        )

    def _give_up(self, run: Run) -> None:
        """A run that hangs: its job goes back to the queue, its thread counts no more."""
        run.tell("lost")
        try:
            self._store.requeue(run.lease, run.reached, self._clock.ms())
        except DatabaseUnavailable:
            self._unsure = True
            self._log.exception("Job %s stays leased until the database answers.", run.id)
        self._workers.abandon(run.thread)
        with self._lock:
            self._runs.pop(run.lease.number, None)
            self._ended.notify_all()
        self._log.warning(
            "Job %s of plugin %s (id %s) did not stop in time; it is left behind.",
            *(run.kind.job.name, run.kind.plugin_id, run.id),
        )

    def _of(self, plugin_id: str | None) -> list[Run]:
        return [run for run in self._runs.values() if plugin_id in (None, run.kind.plugin_id)]
