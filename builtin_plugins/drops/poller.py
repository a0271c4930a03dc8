"""The background: one round after the other, for nobody in particular (contract, 7.3)."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Final

from builtin_plugins.drops.acknowledging import Acknowledgements
from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.rounds import Outcome, Rounds
from builtin_plugins.drops.turns import Turn
from plugin_sdk import Clock, Logger, StageboxError, Unavailable

__all__ = ["Poller", "moment_text"]

_LEAST_PAUSE: Final = 0.05
_SLICE: Final = 0.5
_RETRY_SECONDS: Final = 5.0
_NOTE_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 2.0
_NEVER: Final = float("-inf")


def moment_text(ms: int) -> str:
    """``2026-05-01 12:00:00.000``, in UTC."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}"


class Poller:
    """A thread that follows ``poll_interval``; 0 is a pause. Of several processes the one that
    has the turn polls, the others look now and then whether it still lives.

    A thread and no job that is begun for each round: that would cost the host's database three
    writes a second, and hide every other job in its list."""

    def __init__(
        self,
        documents: Documents,
        rounds: Rounds,
        acknowledgements: Acknowledgements,
        turn: Turn,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._documents = documents
        self._rounds = rounds
        self._acknowledgements = acknowledgements
        self._turn = turn
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._ended = False
        self._failing = False
        self._known: tuple[int, int] | None = None
        self._followed: tuple[float | None, int] | None = None
        self._began = self._rested = _NEVER
        self._unwritten: int | None = None
        self._written_at = _NEVER

    def start(self) -> None:
        """Once for each process; later calls do nothing."""
        with self._lock:
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="drops-poller", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Waits up to two seconds for the thread."""
        with self._lock:
            self._ended = True
            thread = self._thread
        self._woken.set()
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def wake(self) -> None:
        """The interval or the boxes are others now."""
        self._woken.set()

    def note(self, outcome: Outcome) -> None:
        """Writes the time of a round that a caller waited for."""
        if outcome.answered:
            self._documents.note_round(moment_text(outcome.began_ms))

    def _run(self) -> None:
        while not self._ended:
            self._woken.clear()
            self._woken.wait(self._fenced_step())
        try:
            self._write(force=True)
            self._turn.give_up()
        except StageboxError as error:
            self._log.warning("The poller could not leave things in order: %s", error.message)

    def _fenced_step(self) -> float:
        """The background goes on whatever happens; told once, until it works again."""
        try:
            pause = self._step()
        except Exception as error:
            if self._ended or isinstance(error, Unavailable):
                return _SLICE
            if not self._failing:
                self._failing = True
                self._log.exception("The background could not look for messages; it tries again.")
            return _RETRY_SECONDS
        self._failing = False
        return pause

    def _step(self) -> float:
        """What is due now; returns for how many seconds nothing is, as far as it is known."""
        self._acknowledgements.start()
        interval = self._interval()
        if interval is not None and not self._turn.have():
            return _SLICE
        follows = (interval, self._documents.version("synced"))
        if follows != self._followed:  # this process, another one, or a command changed it
            self._followed = follows
            self._began = _NEVER
        if interval is None:
            self._write()
            return _SLICE
        left = max(self._began + interval, self._rested + _LEAST_PAUSE) - time.monotonic()
        if left <= 0:
            self._round()
            left = max(self._began + interval - time.monotonic(), _LEAST_PAUSE)
        self._write()
        return min(left, _SLICE)

    def _round(self) -> None:
        self._began = time.monotonic()
        outcome = self._rounds.run(stop=lambda: self._ended or not self._turn.have())
        self._rested = time.monotonic()
        if outcome.answered:
            self._unwritten = outcome.began_ms

    def _write(self, *, force: bool = False) -> None:
        """Every write costs the disk a flush, so the background's wait for a while."""
        due = force or time.monotonic() - self._written_at >= _NOTE_SECONDS
        if self._unwritten is not None and due:
            moment, self._unwritten = self._unwritten, None
            self._written_at = time.monotonic()
            now = moment_text(self._clock.ms())
            self._documents.note_round(moment_text(moment), noted_at=now)

    def _interval(self) -> float | None:
        """Seconds; None for none."""
        version = self._documents.version("settings")
        if self._known is None or self._known[0] != version:
            document, version = self._documents.read("settings")
            self._known = (version, document["poll_interval"])
        milliseconds = self._known[1]
        return milliseconds / 1000 if milliseconds else None
