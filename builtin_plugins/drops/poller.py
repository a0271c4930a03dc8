"""The background: a job that never ends, one round after the other (contract, 7.3)."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import Final

from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.rounds import Outcome, Rounds
from plugin_sdk import JobRun, Logger, StageboxError

__all__ = ["Poller", "moment_text"]

_LEAST_PAUSE: Final = 0.05
_SLICE: Final = 0.5
_NOTE_SECONDS: Final = 20.0


def moment_text(ms: int) -> str:
    """``2026-05-01 12:00:00.000``, in UTC."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


class Poller:
    """Follows ``poll_interval``; 0 is a pause. `wake` lets a round begin at once."""

    def __init__(self, documents: Documents, rounds: Rounds, log: Logger) -> None:
        self._documents = documents
        self._rounds = rounds
        self._log = log
        self._woken = threading.Event()
        self._unwritten: int | None = None
        self._written_at = 0.0

    def wake(self) -> None:
        """The interval or the boxes are others now."""
        self._woken.set()

    def run(self, run: JobRun) -> None:
        """Until the job is told to stop."""
        try:
            while not run.cancelled:
                self._woken.clear()
                began = time.monotonic()
                interval = self._interval()
                if interval is not None:
                    self._round(run)
                ended = time.monotonic()
                due = None if interval is None else max(began + interval, ended + _LEAST_PAUSE)
                self._sleep(run, due, interval)
        finally:
            self._write(force=True)

    def note(self, outcome: Outcome) -> None:
        """Writes the time of a round that a caller waited for."""
        if outcome.answered:
            self._documents.note_round(moment_text(outcome.began_ms))

    def _round(self, run: JobRun) -> None:
        try:
            outcome = self._rounds.run(stop=lambda: run.cancelled)
        except StageboxError as error:
            if not run.cancelled:
                self._log.warning("A round of the background failed: %s", error.message)
            return
        if outcome.answered:
            self._unwritten = outcome.began_ms
        self._write()

    def _write(self, *, force: bool = False) -> None:
        """Every write costs the disk a flush, so the background's wait for a while."""
        due = force or time.monotonic() - self._written_at >= _NOTE_SECONDS
        if self._unwritten is not None and due:
            moment, self._unwritten = self._unwritten, None
            self._written_at = time.monotonic()
            self._documents.note_round(moment_text(moment), only_later=True)

    def _sleep(self, run: JobRun, due: float | None, interval: float | None) -> None:
        """Also looks now and then for what another process changed."""
        version = self._documents.version("synced")
        while not run.cancelled:
            left = _SLICE if due is None else min(_SLICE, due - time.monotonic())
            if left <= 0 or self._woken.wait(left):
                return
            if left == _SLICE and (
                self._interval() != interval or self._documents.version("synced") != version
            ):
                return

    def _interval(self) -> float | None:
        """Seconds; None for none."""
        milliseconds: int = json.loads(self._documents.text("settings"))["poll_interval"]
        return milliseconds / 1000 if milliseconds else None
