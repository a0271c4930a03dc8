"""Jobs: work that takes longer than a request, is kept over restarts and can be watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

__all__ = ["Job", "JobInfo", "JobRun", "JobState", "Jobs", "job", "job_declaration"]

_MARK = "__stagebox_job__"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of job that a plugin can run.

    ``every`` (seconds) starts it again and again, the first time after that delay, or at once
    with ``at_start``. ``concurrency`` limits how many of them run at the same time over all
    processes. ``attempts`` is how often it may be begun when it raises.
    """

    name: str
    handler: Callable[[JobRun], Any]
    every: float | None = None
    at_start: bool = False
    concurrency: int = 1
    attempts: int = 1
    summary: str = ""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as it stands. Times are milliseconds since the epoch; ``total`` 0 means unknown."""

    id: str
    plugin_id: str
    name: str
    state: JobState
    key: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    text: str = ""
    result: Any = None
    error: str | None = None
    attempt: int = 0
    cancel_requested: bool = False
    created_at: int = 0
    started_at: int | None = None
    finished_at: int | None = None

    @property
    def finished(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class JobRun(Protocol):
    """What a job's handler gets. What the handler returns (a JSON value) is kept as result."""

    @property
    def id(self) -> str: ...
    @property
    def args(self) -> Mapping[str, Any]: ...
    @property
    def attempt(self) -> int:
        """1 for the first start, one more each time: also after a crash of the host."""
        ...

    @property
    def saved(self) -> Any:
        """What the last `save` kept, also of an earlier attempt; None at first."""
        ...

    def save(self, value: Any) -> None:
        """Keeps a JSON value durably, so that the next attempt can go on from there."""
        ...

    def progress(self, done: int, total: int = 0, text: str = "") -> None:
        """Cheap: written to the store at most a few times a second."""
        ...

    @property
    def cancelled(self) -> bool:
        """True once somebody cancelled it, or the plugin is switched off, or the host stops.

        Return soon then. After a cancel the job is over; otherwise it is begun again later.
        """
        ...

    def sleep(self, seconds: float) -> bool:
        """Waits; returns False at once when the job is to stop."""
        ...


class Jobs(Protocol):
    """``context.jobs``: this plugin's jobs."""

    def start(
        self, name: str, args: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> JobInfo:
        """Queues a job. While one of that name with the same ``key`` is queued or running, that
        one is returned instead. Raises NotFound for a name that was not declared."""
        ...

    def get(self, job_id: str) -> JobInfo:
        """Raises NotFound."""
        ...

    def list(
        self, *, name: str | None = None, state: JobState | None = None, limit: int = 100
    ) -> Sequence[JobInfo]:
        """Newest first."""
        ...

    def cancel(self, job_id: str) -> bool:
        """Asks it to stop; False when it was over already. Raises NotFound."""
        ...

    def wait(self, job_id: str, timeout: float = 30.0) -> JobInfo:
        """Waits until it is over, or the time is; returns it as it stands. Raises NotFound."""
        ...


def job(
    name: str,
    *,
    every: float | None = None,
    at_start: bool = False,
    concurrency: int = 1,
    attempts: int = 1,
) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, run: JobRun)`` as a job; see `Job` for the words."""

    def mark(handler: _Handler) -> _Handler:
        doc = (handler.__doc__ or "").strip().split("\n")[0]
        declared = Job(name, handler, every, at_start, concurrency, attempts, doc)
        setattr(handler, _MARK, declared)
        return handler

    return mark


def job_declaration(handler: Callable[..., Any]) -> Job | None:
    """What `job` noted on a function."""
    declared: Job | None = getattr(handler, _MARK, None)
    return declared
