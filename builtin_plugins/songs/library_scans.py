"""When scans run: asked for by people, at the start, from time to time, by a command."""

from __future__ import annotations

import os
import time
from typing import Final

from builtin_plugins.songs.chunks import chunks, listed
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.presence import Presence
from builtin_plugins.songs.scan_state import Cancelled, Mode, ScanState
from builtin_plugins.songs.scanning import Scanner
from plugin_sdk import CommandIO, Context, JobRun, NotFound, Response
from plugin_sdk.management import HostInfo

__all__ = ["JOB", "Scans", "scan_state"]

JOB: Final = "scan"
_MINUTE_MS: Final = 60_000
_LOOK_SECONDS: Final = 0.2
_LOOKS: Final = 100
"""For plugins that start late: longer than a start may take."""
_ADVICE: Final = {
    "NO_LIBRARY_FOLDER": "No song folder is set, or it is not there: "
    "stagebox settings set songs dlcDir FOLDER",
    "LIBRARY_UNREADABLE": "The song folder (the setting dlcDir) cannot be read by this user.",
}
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
        self._presence = _presence(context)

    def request(self, mode: Mode) -> bool:
        """True when a run was on, which another one follows now."""
        queued = self._state.request(mode)
        if not queued:
            self._context.jobs.start(JOB)
        return queued

    def accepted(self, mode: Mode) -> Response:
        return Response({"ok": True, "queued": self.request(mode)}, 202)

    def run(self, run: JobRun) -> None:
        """The job: the run that was asked for, and those that were wished meanwhile."""
        mode = self._state.present()
        if mode is not None and self._state.interrupted(run.attempt):
            self._await_formats(run)
            self._state.restart()
        failed: Exception | None = None
        while mode is not None:
            try:
                mode = self._scanner.run(mode, lambda: run.cancelled)
            except Cancelled:
                if self._is_cancelled(run):
                    self._state.reset()
                return
            except Exception as error:
                self._context.log.exception("A scan failed.")
                failed = error
                mode = self._scanner.fail()
        if failed is not None:
            raise failed

    def _await_formats(self, run: JobRun) -> None:
        """Those that a full run had are perhaps still starting, behind their host. Without them
        it would end, and nothing else reads a song that has not changed."""
        wanted = self._state.formats()
        for _ in range(_LOOKS):
            there = {each.name for each in self._context.providers.chain("song_format")}
            if wanted <= there or not run.sleep(_LOOK_SECONDS):
                return

    def begin(self) -> None:
        """Once after each start. A run that the last process could not end goes on now: it lists
        the folder anew."""
        settings = self._context.settings
        self._state.notice_folder(self._folder)
        if settings["scanOnStart"] and settings["dlcDir"] and self._state.present() is None:
            self.request("incremental")

    def tick(self) -> None:
        """Every minute: was a run asked for that nobody sees to, is it time for another one?"""
        if self._state.abandoned():
            self._context.jobs.start(JOB)
            return
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
        if self._folder != before and self._state.notice_folder(self._folder) and self._folder:
            self.request("incremental")

    def by_command(self, io: CommandIO, mode: Mode) -> int:
        """Runs here, or waits for the run that follows the one that is on."""
        with self._presence.kept() as mark:
            while self._state.request(mode, command=mark):
                if self._followed():
                    break
            else:
                self._run_here(mode)
        status = self._state.status()
        io.print(", ".join(f"{name}: {status[name]}" for name in _COUNTERS))
        for failure in status["failures"]:
            io.error(f"{failure['file']}: {failure['message']}")
        if status["status"] != "error":
            return 0
        advice = _ADVICE.get(status["error"], "The log of the host says more.")
        io.error(f"The scan failed: {status['error']}. {advice}")
        return 1

    def _run_here(self, mode: Mode) -> None:
        wished: Mode | None = mode
        try:
            while wished is not None:
                wished = self._scanner.run(wished, lambda: False)
        except BaseException:  # Ctrl-C too
            if self._scanner.fail() is not None:  # a server asked for it
                self._context.jobs.start(JOB)
            raise

    def _followed(self) -> bool:
        """Waits until the run that follows the present one is over. False when nobody sees to
        them any more."""
        begun = self._state.last_begun()
        while (last := self._state.last_begun()) is not None:
            if last != begun and self._state.present() is None:
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def cleanup_orphans(self) -> int:
        """Removes songs without a track, with everything that hangs on them; how many."""
        db = self._context.db
        orphans = "SELECT s.id FROM songs s LEFT JOIN tracks t ON t.id = s.id WHERE t.id IS NULL"
        removed = 0
        for chunk in chunks(db.values(orphans), 200):
            with db.transaction():
                names, params = listed(chunk)  # a scan may have brought one back meanwhile
                still = db.values(f"{orphans} AND s.id IN ({names})", params)
                self._index.remove(still)
                removed += len(still)
        return removed

    def _is_cancelled(self, run: JobRun) -> bool:
        """Whether the run is not to go on later either."""
        try:
            return self._context.jobs.get(run.id).cancel_requested
        except NotFound:
            return False


def scan_state(context: Context) -> ScanState:
    """The state that all processes share."""
    info: HostInfo = context.services.get("host.info")

    def awaited() -> bool:
        jobs = context.jobs
        return bool(jobs.list(name=JOB, state="running") or jobs.list(name=JOB, state="queued"))

    gone = _presence(context).is_gone
    return ScanState(context.db, context.clock, lambda: info.life, awaited, gone)


def _presence(context: Context) -> Presence:
    """Of the command that scans."""
    return Presence(lambda: context.paths.data)


def _folder(context: Context) -> str:
    """The song folder; the same text for the same folder."""
    folder = context.settings["dlcDir"]
    return os.path.realpath(folder) if folder else ""
