"""When scans run: asked for by people, at the start, from time to time, by a command."""

from __future__ import annotations

import os
import time
from typing import Any, Final

from builtin_plugins.songs.index import LibraryIndex, chunks
from builtin_plugins.songs.scan_state import Mode, ScanState
from builtin_plugins.songs.scanning import Cancelled, Scanner
from plugin_sdk import CommandIO, Context, JobRun, Response, Unavailable

__all__ = ["JOB", "Scans"]

JOB: Final = "scan"
_MINUTE_MS: Final = 60_000
_LOOK_SECONDS: Final = 0.2
_COUNTERS: Final = ("added", "changed", "removed", "unchanged", "failed")


class Scans:
    def __init__(
        self, context: Context, index: LibraryIndex, state: ScanState, scanner: Scanner
    ) -> None:
        self._context = context
        self._index = index
        self._state = state
        self._scanner = scanner
        self._folder = _folder(context)
        self._serves = False

    def request(self, mode: Mode) -> bool:
        """True when a run was on, which another one follows now."""
        queued = self._state.request(mode)
        if not queued:
            self._context.jobs.start(JOB)
        return queued

    def accepted(self, mode: Mode) -> Response:
        self._serves = True
        return Response({"ok": True, "queued": self.request(mode)}, 202)

    def status(self) -> dict[str, Any]:
        self._serves = True
        return self._state.status()

    def run(self, run: JobRun) -> None:
        """The job: the run that was asked for, and those that were wished meanwhile."""
        self._serves = True
        mode = self._state.present()
        if mode is not None and run.attempt > 1:
            self._state.restart()
        while mode is not None:
            try:
                mode = self._scanner.run(mode, lambda: run.cancelled)
            except Cancelled:
                return
            except Exception:
                self._scanner.fail()
                raise

    def begin(self) -> None:
        """Once after each start: forgets the last run, begins one if that is wished."""
        self._serves = True
        if not self._active():
            self._state.reset()
        settings = self._context.settings
        if settings["scanOnStart"] and settings["dlcDir"]:
            self.request("incremental")

    def tick(self) -> None:
        """Every minute: is it time, and does a run hang that nobody runs?"""
        if self._state.stale() and not self._active():
            self._state.reset()
        settings = self._context.settings
        minutes = settings["scanIntervalMinutes"]
        last = self._state.last_begun()
        due = last is None or self._context.clock.ms() - last >= minutes * _MINUTE_MS
        if minutes and settings["dlcDir"] and due and self._state.present() is None:
            self.request("incremental")

    def settings_changed(self, names: frozenset[str]) -> None:
        """Another song folder is looked through at once."""
        if "dlcDir" not in names:
            return
        before, self._folder = self._folder, _folder(self._context)
        if self._folder and self._folder != before:
            self.request("incremental")

    def forget(self) -> None:
        """At the end of a process that serves: the next one knows nothing of the last run."""
        if self._serves and self._state.present() is None:
            self._state.reset()

    def by_command(self, io: CommandIO, mode: Mode) -> int:
        """Runs here, or waits for the run that follows the one that is on."""
        if self._state.request(mode):
            self._wait()
        else:
            self._run_here(mode)
        status = self._state.status()
        io.print(", ".join(f"{name}: {status[name]}" for name in _COUNTERS))
        for failure in status["failures"]:
            io.error(f"{failure['file']}: {failure['message']}")
        if status["status"] != "error":
            return 0
        io.error(f"The scan failed: {status['error']}")
        return 1

    def _run_here(self, mode: Mode) -> None:
        wished: Mode | None = mode
        try:
            while wished is not None:
                wished = self._scanner.run(wished, lambda: False)
        except BaseException:  # Ctrl-C too
            self._scanner.fail()
            raise

    def _wait(self) -> None:
        """Until the run that follows the present one is over."""
        begun = self._state.last_begun()
        while (last := self._state.last_begun()) is not None:
            if last != begun and self._state.present() is None:
                return
            if self._state.stale():
                raise Unavailable("A scan is noted as running, but nothing is heard of it.")
            time.sleep(_LOOK_SECONDS)

    def cleanup_orphans(self) -> int:
        """Removes songs without a track, with everything that hangs on them; how many."""
        db = self._context.db
        rows = db.query(
            "SELECT s.id FROM songs s LEFT JOIN tracks t ON t.id = s.id WHERE t.id IS NULL"
        )
        for chunk in chunks([row["id"] for row in rows], 200):
            with db.transaction():
                self._index.remove(chunk)
        return len(rows)

    def _active(self) -> bool:
        jobs = self._context.jobs
        return bool(jobs.list(name=JOB, state="running") or jobs.list(name=JOB, state="queued"))


def _folder(context: Context) -> str:
    """The song folder; the same text for the same folder."""
    folder = context.settings["dlcDir"]
    return os.path.realpath(folder) if folder else ""
