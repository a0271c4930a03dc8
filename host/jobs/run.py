"""One run of a job: what its handler gets, and what it may still write."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from host.jobs.kinds import JobKind
from host.jobs.store import JobStore, Lease, Progress
from plugin_sdk import Conflict, DatabaseUnavailable, Invalid, Row, StageboxError, dump_json

__all__ = ["MAX_SAVED_BYTES", "Run", "encode", "one_line"]

MAX_SAVED_BYTES: Final = 1024 * 1024
PROGRESS_SECONDS: Final = 0.25
_MAX_TEXT: Final = 500
_MAX_COUNT: Final = 2**63 - 1

Reason = Literal["cancel", "gone", "stopping", "lost"]


def one_line(text: str) -> str:
    """Text fit for one line of a list, at most 500 characters."""
    line = " ".join(text.replace("\0", " ").split())
    return line[:_MAX_TEXT].encode("utf-8", "replace").decode()


def describe(error: BaseException) -> str:
    """An exception in one line; an error raised on purpose speaks for itself."""
    if isinstance(error, StageboxError):
        return one_line(error.message)
    return one_line(f"{type(error).__name__}: {error}".removesuffix(": "))


def encode(what: str, value: Any, limit: int) -> str:
    """JSON text; raises Invalid with a sentence beginning with ``what``."""
    try:
        text = dump_json(value)
    except Invalid as error:
        raise Invalid(f"{what} cannot be kept: {error.message}") from None
    except (ValueError, RecursionError) as error:  # an integer beyond 4,300 digits, say
        raise Invalid(f"{what} cannot be written as JSON: {error}.") from None
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise Invalid(f"{what} has {size} bytes of JSON; {limit} are allowed.")
    return text


def _counted(number: int) -> int:
    """As a database keeps it: what it refused here, it would refuse at the end of the job too."""
    return max(0, min(int(number), _MAX_COUNT))


class Run:
    """The SDK's JobRun.

    ``told`` is why the handler should stop, ``noticed`` whether it has looked and seen that: one
    that returns without having noticed has done its work.
    """

    def __init__(
        self, store: JobStore, kind: JobKind, row: Row, changed: Callable[[Run], object]
    ) -> None:
        self.kind = kind
        self.lease = Lease(row["number"], row["owner"], row["attempt"])
        self.failures: int = row["failures"]
        self.told: Reason | None = None
        self.noticed = False
        self.thread = threading.current_thread()
        self._store = store
        self._changed = changed
        self._id: str = row["id"]
        self._args: str = row["args"]
        self._saved: str | None = row["saved"]
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._progress = Progress(row["done"], row["total"], row["text"])
        self._written = self._progress
        self._written_at = float("-inf")

    # -- the handler's side

    @property
    def id(self) -> str:
        return self._id

    @property
    def args(self) -> Mapping[str, Any]:
        args: dict[str, Any] = json.loads(self._args)
        return args

    @property
    def attempt(self) -> int:
        return self.lease.attempt

    @property
    def saved(self) -> Any:
        return None if self._saved is None else json.loads(self._saved)

    def save(self, value: Any) -> None:
        """Raises Invalid for no JSON or more than 1 MiB of it, Conflict when another process has
        begun this job again because this one was taken for dead."""
        text = encode("What the job saves", value, MAX_SAVED_BYTES)
        if not self._store.save(self.lease, text, self._progress):
            self.tell("lost")
            self.noticed = True
            raise Conflict("This job was given to another process; this run of it is to end.")
        self._saved = text

    def progress(self, done: int, total: int = 0, text: str = "") -> None:
        self._progress = Progress(_counted(done), _counted(total), one_line(text))
        if time.monotonic() - self._written_at >= PROGRESS_SECONDS:
            try:
                self.flush()
            except DatabaseUnavailable:
                pass  # no reason to fail the job: the service writes it later, or logs that

    @property
    def cancelled(self) -> bool:
        if self._stop.is_set():
            self.noticed = True
        return self.noticed

    def sleep(self, seconds: float) -> bool:
        self._stop.wait(max(0.0, seconds))
        return not self.cancelled

    # -- the service's side

    @property
    def reached(self) -> Progress:
        """How far the handler said it is."""
        return self._progress

    def tell(self, reason: Reason) -> None:
        """Asks the handler to stop. A lost lease outweighs all, a cancel all but that."""
        if self.told is None or reason == "lost" or (reason == "cancel" and self.told != "lost"):
            self.told = reason
        self._stop.set()

    def flush(self) -> None:
        """Writes progress that was not written yet. The lock keeps an older one from being
        written after a newer one."""
        with self._writing:
            progress = self._progress
            if progress is self._written or self.told == "lost":
                return
            self._written_at = time.monotonic()
            if not self._store.progress(self.lease, progress):
                self.tell("lost")
                return
            self._written = progress
        self._changed(self)
