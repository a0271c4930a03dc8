"""``context.jobs`` in memory, and what a job's handler gets."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plugin_sdk.errors import Invalid, NotFound, StageboxError
from plugin_sdk.jobs import Job, JobInfo, JobState
from plugin_sdk.strict_json import dump_json
from plugin_sdk.testing.clock import FakeClock

__all__ = ["FakeJobRun", "FakeJobs", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One call of ``run.progress``."""

    done: int
    total: int = 0
    text: str = ""


class FakeJobRun:
    """A `plugin_sdk.JobRun` with which a test calls a job's handler itself::

        run = FakeJobRun({"folder": "/music"}, cancel_after=2)
        plugin.scan(run)
        assert run.reports[-1] == Progress(2, 10)     # it stopped when it was told to

    ``cancel_after`` counts looks at ``cancelled`` that still see False. ``sleep`` does not wait:
    it moves the clock. `noticed` tells whether the handler saw that it should stop.
    """

    def __init__(
        self,
        args: Mapping[str, Any] | None = None,
        *,
        attempt: int = 1,
        saved: Any = None,
        cancel_after: int | None = None,
        clock: FakeClock | None = None,
        id: str = "job-1",
    ) -> None:
        self.reports: list[Progress] = []
        """Every call of ``progress``, in order."""
        self.noticed: bool = False
        self._id = id
        self._args = json.loads(dump_json(dict(args or {})))
        self._attempt = attempt
        self._saved = dump_json(saved)
        self._looks_left = cancel_after
        self._cancelled = False
        self._clock = clock or FakeClock()

    @property
    def id(self) -> str:
        return self._id

    @property
    def args(self) -> Mapping[str, Any]:
        args: Mapping[str, Any] = self._args
        return args

    @property
    def attempt(self) -> int:
        return self._attempt

    @property
    def saved(self) -> Any:
        return json.loads(self._saved)

    def save(self, value: Any) -> None:
        self._saved = dump_json(value)

    def progress(self, done: int, total: int = 0, text: str = "") -> None:
        self.reports.append(Progress(done, total, text))

    @property
    def cancelled(self) -> bool:
        if self._looks_left is not None and not self._cancelled:
            self._cancelled = self._looks_left <= 0
            self._looks_left -= 1
        self.noticed = self.noticed or self._cancelled
        return self._cancelled

    def cancel(self) -> None:
        """From now on ``cancelled`` is True."""
        self._cancelled = True

    def sleep(self, seconds: float) -> bool:
        if self.cancelled:
            return False
        self._clock.advance(seconds)
        return not self.cancelled


class FakeJobs:
    """``context.jobs`` in tests: nothing runs until the test says so::

        context.start(Soundboard)                     # declares the plugin's jobs
        started = context.jobs.start("check-links")
        context.jobs.run_all()
        assert context.jobs.get(started.id).state == "succeeded"

    With ``synchronous`` set, ``start`` runs the job before it returns. A handler that raises
    makes its job ``failed``, or queued again while it has attempts left; the exception is logged
    and kept in `errors`. Repeating jobs (``every``) are started by nobody but the test.
    """

    def __init__(self, plugin_id: str, clock: FakeClock, log: logging.Logger) -> None:
        self.synchronous = False
        self.errors: dict[str, Exception] = {}
        """What the last attempt of a job raised, by job id."""
        self._plugin_id = plugin_id
        self._clock = clock
        self._log = log
        self._lock = threading.RLock()
        self._kinds: dict[str, Job] = {}
        self._infos: dict[str, JobInfo] = {}
        self._runs: dict[str, FakeJobRun] = {}

    def declare(self, jobs: Iterable[Job]) -> None:
        """Adds kinds of jobs: ``context.jobs.declare(plugin.jobs())``."""
        self._kinds.update({job.name: job for job in jobs})

    def withdraw(self) -> None:
        """Forgets all kinds; queued jobs wait for their return, as in the host."""
        self._kinds.clear()

    def start(
        self, name: str, args: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JobInfo:
        if name not in self._kinds:
            raise NotFound(f'Plugin {self._plugin_id} declares no job "{name}".')
        with self._lock:
            twin = self._unfinished(name, key)
            if twin is not None:
                return self.get(twin)
            job_id = f"job-{len(self._infos) + 1}"
            self._runs[job_id] = FakeJobRun(args, attempt=0, clock=self._clock, id=job_id)
            self._infos[job_id] = JobInfo(
                job_id,
                self._plugin_id,
                name,
                "queued",
                key=key,
                args=self._runs[job_id].args,
                created_at=self._clock.ms(),
            )
        if self.synchronous:
            self._run(job_id)
        return self.get(job_id)

    def get(self, job_id: str) -> JobInfo:
        if job_id not in self._infos:
            raise NotFound(f"There is no job {job_id}.")
        last = self._runs[job_id].reports[-1:] or [Progress(0)]
        return replace(
            self._infos[job_id], done=last[0].done, total=last[0].total, text=last[0].text
        )

    def list(
        self, *, name: str | None = None, state: JobState | None = None, limit: int = 100
    ) -> Sequence[JobInfo]:
        newest_first = [self.get(job_id) for job_id in reversed(self._infos)]
        found = (
            info
            for info in newest_first
            if name in (None, info.name) and state in (None, info.state)
        )
        return [info for _, info in zip(range(limit), found, strict=False)]

    def cancel(self, job_id: str) -> bool:
        with self._lock:
            info = self.get(job_id)
            if info.finished:
                return False
            self._runs[job_id].cancel()
            self._change(job_id, cancel_requested=True)
            if info.state == "queued":
                self._change(job_id, state="cancelled", finished_at=self._clock.ms())
            return True

    def wait(self, job_id: str, timeout: float = 30.0) -> JobInfo:
        """Runs the job if it is still queued: nobody else would."""
        while self.get(job_id).state == "queued" and self.get(job_id).name in self._kinds:
            self._run(job_id)
        return self.get(job_id)

    def run_all(self) -> Sequence[JobInfo]:
        """Runs queued jobs, oldest first, those that they start too, until none is left; returns
        them as they ended."""
        ran: dict[str, None] = {}
        while (job_id := self._next()) is not None:
            self._run(job_id)
            ran[job_id] = None
        return [self.get(job_id) for job_id in ran]

    def reports(self, job_id: str) -> Sequence[Progress]:
        """Every progress that the job's last attempt reported."""
        self.get(job_id)
        return tuple(self._runs[job_id].reports)

    def _unfinished(self, name: str, key: str | None) -> str | None:
        for each in self._infos.values():
            if (each.name, each.key) == (name, key) and key is not None and not each.finished:
                return each.id
        return None

    def _next(self) -> str | None:
        queued = (
            info.id
            for info in self._infos.values()
            if info.state == "queued" and info.name in self._kinds
        )
        return next(queued, None)

    def _change(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            self._infos[job_id] = replace(self._infos[job_id], **changes)

    def _run(self, job_id: str) -> None:
        with self._lock:
            info = self._infos[job_id]
            if info.state != "queued":
                return
            attempt = info.attempt + 1
            run = FakeJobRun(
                info.args,
                attempt=attempt,
                saved=self._runs[job_id].saved,
                clock=self._clock,
                id=job_id,
            )
            self._runs[job_id] = run
            started = self._clock.ms() if info.started_at is None else info.started_at
            self._change(job_id, state="running", attempt=attempt, started_at=started)
        kind = self._kinds[info.name]
        try:
            result = json.loads(_as_result(kind.handler(run)))
        except Exception as error:  # a job may raise anything; it is its state that tells
            self._log.exception("Job %s (%s) raised.", info.name, job_id)
            self.errors[job_id] = error
            again = attempt < kind.attempts and not self.get(job_id).cancel_requested
            self._end(run, "queued" if again else "failed", error=_sentence(error))
        else:
            self._end(run, "succeeded", result=result)

    def _end(self, run: FakeJobRun, state: JobState, **changes: Any) -> None:
        if run.noticed and self.get(run.id).cancel_requested:
            state = "cancelled"  # a handler that did not look has done its work
        finished = None if state == "queued" else self._clock.ms()
        self._change(run.id, state=state, finished_at=finished, **changes)


def _as_result(value: Any) -> str:
    try:
        return dump_json(value)
    except Invalid as error:
        raise Invalid(f"A job's result is a JSON value. {error.message}") from None


def _sentence(error: Exception) -> str:
    if isinstance(error, StageboxError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
