"""A run over the song folder (songs contract, 4)."""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from builtin_plugins.songs.asking import Asker, trusted_formats
from builtin_plugins.songs.chunks import chunks, listed
from builtin_plugins.songs.comparison import Comparison, Unlisted
from builtin_plugins.songs.deletions import Deletions
from builtin_plugins.songs.identity import clean, filename_of, track_id_of
from builtin_plugins.songs.index import Found, LibraryIndex, Outcome
from builtin_plugins.songs.reading import READING_SECONDS, Reading
from builtin_plugins.songs.scan_state import BEAT_SECONDS, Cancelled, Mode, ScanState
from builtin_plugins.songs.scanned import Scanned
from builtin_plugins.songs.walking import Candidate
from builtin_plugins.songs.workers import ReadingPool
from plugin_sdk import Context, Invalid, SongFormat

__all__ = ["Scanner"]

_BATCH: Final = 200
_PAUSE: Final = 0.25
"""Seconds between two announcements, and at most until a reading is written."""
_MANY: Final = 1000
_SONGS_PER_WORKER: Final = 20
_LONGEST: Final = 500
_SILENT: Final = (
    "The reader of the format {format} did not answer within {seconds:g} seconds when it was asked "
    "about it: this scan leaves all songs of the format as they are."
)


class Scanner:
    """Compares what lies in the song folder with the index, and reads what differs.

    ``reading_seconds`` is how long reading one song may take.
    """

    def __init__(
        self,
        context: Context,
        index: LibraryIndex,
        state: ScanState,
        sweep: Callable[[], object],
        reading_seconds: float | None = None,
    ) -> None:
        self._context = context
        self._db = context.db
        self._index = index
        self._state = state
        self._sweep = sweep
        self._reading_seconds = reading_seconds or READING_SECONDS

    def run(self, mode: Mode, stopped: Callable[[], bool]) -> Mode | None:
        """One run, which `ScanState.request` noted as begun. Returns the mode of the next one, if
        one was wished meanwhile. Raises Cancelled once ``stopped`` says so."""
        begun = time.monotonic()
        self._emit("scan_started", mode=mode)
        root = self._context.settings["dlcDir"]
        error = _unusable(root)
        if error is None:
            try:
                counters = _Run(self, root, mode, stopped).scan()
            except Cancelled:
                raise
            except Unlisted:
                error = "LIBRARY_UNREADABLE"
        if error is not None:
            self._emit("scan_failed", error=error)
            return self._state.finish(status="error", stage="error", error=error)
        self._sweep()
        took = round((time.monotonic() - begun) * 1000)
        self._emit("scan_completed", **counters, durationMs=took)
        return self._state.finish(status="complete", stage="complete")

    def fail(self) -> Mode | None:
        """After an exception that nobody expected; what `run` returns."""
        self._emit("scan_failed", error="INTERNAL_ERROR")
        return self._state.finish(status="error", stage="error", error="INTERNAL_ERROR")

    def _emit(self, what: str, **data: Any) -> None:
        self._context.events.emit(f"songs.{what}", data)


def _unusable(root: str) -> str | None:
    if not root or not os.path.isdir(root):  # noqa: PTH112 - a text from the settings
        return "NO_LIBRARY_FOLDER"
    return None if os.access(root, os.R_OK | os.X_OK) else "LIBRARY_UNREADABLE"


class _Run:
    def __init__(
        self, scanner: Scanner, root: str, mode: Mode, stopped: Callable[[], bool]
    ) -> None:
        self._s = scanner
        self._root = root
        self._stopped = stopped
        self._db = scanner._db
        self._formats: Sequence[SongFormat] = list(scanner._context.providers.chain("song_format"))
        self._full = mode == "full"
        returning = scanner._state.returning() if self._full else None
        self._found = Comparison(self._db, root, self._formats, returning)
        self._counters = Counter(added=0, changed=0, removed=0, unchanged=0, failed=0)
        self._tell_each = False
        self._done = self._total = 0
        self._announced = 0.0
        self._heard = time.monotonic()
        self._current = ""
        self._scanned = Scanned(self._db, mode, scanner._state.last_begun() or 0)

    def scan(self) -> Mapping[str, int]:
        found, context = self._found, self._s._context
        if self._full:
            self._s._state.update(formats=[each.name for each in self._formats])
        platform, seconds = context.settings["psarcPlatform"], self._s._reading_seconds
        asker = Asker(seconds, self._check, trusted_formats(context))
        found.look(platform, context.log, self._check, asker)
        gone = found.gone()
        self._counters["unchanged"] += found.unchanged
        text = "The name of the file is no Unicode text."
        told = [self._failure(each, text) for each in found.nameless]
        for format, path in found.silent.items():
            text = _SILENT.format(format=format, seconds=seconds)
            told.append(self._failure(Candidate(path, format, "", 0.0), text))
        if told:
            self._s._state.add_failure(told)
        with self._db.transaction():
            self._refuse(dict.fromkeys(found.faults, "The song cannot be read."))
        tasks, read = self._scanned.left_of(found.tasks)
        self._counters.update(read)
        self._done = read.total()
        self._total = len(tasks) + self._done
        self._tell_each = len(tasks) + len(gone) <= _MANY
        self._s._state.update(
            status="scanning",
            stage="importing",
            done=self._done,
            total=self._total,
            **self._counters,
        )
        self._import(tasks)
        self._check()
        self._s._state.update(stage="cleanup", current="")
        self._orphan(gone)
        self._s._state.update(done=self._done, current="", **self._counters)
        self._scanned.forget()
        for chunk in chunks(list(found.lost)):
            names, params = listed(chunk)
            self._db.execute(f"DELETE FROM unreadable WHERE track_id IN ({names})", params)
        return self._counters

    def _check(self) -> None:
        if self._stopped():
            raise Cancelled
        now = time.monotonic()
        if now - self._heard >= BEAT_SECONDS:
            self._heard = now
            self._s._state.update()

    # Importing

    def _import(self, tasks: Sequence[Candidate]) -> None:
        if not tasks:
            return
        wished = self._s._context.settings["scanWorkers"] or min(4, os.cpu_count() or 1)
        workers = max(1, min(wished, -(-len(tasks) // _SONGS_PER_WORKER)))
        pending: list[tuple[Candidate, Reading]] = []
        written = time.monotonic()
        log, seconds = self._s._context.log, self._s._reading_seconds
        with ReadingPool(self._formats, self._root, workers, log, seconds) as pool:
            for result in pool.read(tasks, _PAUSE):
                self._check()
                if result is not None:
                    pending.append(result)
                now = time.monotonic()
                news = pending or pool.current != self._current
                if len(pending) >= _BATCH or (news and now - written >= _PAUSE):
                    self._write(pending, pool.current)
                    pending, written = [], now
            self._write(pending, pool.current)

    def _write(self, readings: Sequence[tuple[Candidate, Reading]], current: str) -> None:
        """One transaction: songs, counters, progress and what is told of them."""
        good: dict[str, Found] = {}
        bad: dict[Candidate, str] = {}
        for candidate, reading in readings:
            self._done += 1
            path, kind, signature, _ = candidate
            if reading.facts is not None:
                filename = filename_of(path)
                good[filename] = Found(filename, path, kind, signature, reading.facts)
            else:
                bad[candidate] = "" if reading.gone else reading.message
                if reading.fault:
                    self._s._context.log.warning("%s: %s", filename_of(path), reading.fault)
        with self._db.transaction():
            ended = self._left_deleted(good)
            outcomes, refused = self._put(list(good.values()))
            for outcome in outcomes:
                found = good[outcome.filename]
                ended[found.path] = self._note(outcome, found)
            for found in refused:
                lost = Candidate(found.path, found.format, found.signature, 0.0)
                bad[lost] = "The song holds values that cannot be kept."
            self._refuse(bad)
            self._scanned.keep((each for each, _ in readings), ended)
            self._announce(current)

    def _left_deleted(self, good: dict[str, Found]) -> dict[str, str]:
        """Takes out songs that were deleted since the look began. If their files have changed
        since then, the next run sees it. By path, as `Scanned.keep` wants them."""
        by_id = {track_id_of(filename): filename for filename in good}
        ended = {}
        for track_id in Deletions(self._db).later(self._found.looked, by_id):
            ended[good.pop(by_id[track_id]).path] = "unchanged"
        self._counters["unchanged"] += len(ended)
        return ended

    def _put(self, batch: Sequence[Found]) -> tuple[list[Outcome], Sequence[Found]]:
        """What became of them, and those that no database takes (a number beyond 64 bits)."""
        if not batch:
            return [], ()
        try:
            with self._db.transaction():
                return self._s._index.put(batch), ()
        except (Invalid, ValueError, OverflowError) as error:
            if len(batch) == 1:
                self._s._context.log.warning("%s: %s", batch[0].filename, error)
                return [], batch
        middle = len(batch) // 2
        first, second = self._put(batch[:middle]), self._put(batch[middle:])
        return [*first[0], *second[0]], [*first[1], *second[1]]

    def _note(self, outcome: Outcome, found: Found) -> str:
        """Counts and tells it; as which of the counters."""
        what = outcome.what
        if what == "changed" and self._found.signatures.get(found.path) == found.signature:
            self._counters["unchanged"] += 1
            return "unchanged"
        self._counters[what] += 1
        self._tell(f"song_{what}", outcome.track_id, outcome.filename)
        return what

    def _refuse(self, bad: Mapping[Candidate, str]) -> None:
        """Unreadable songs are remembered with their signature, and are shown no more. One that
        has no message went while it was read."""
        shown = []
        failures = []
        for candidate, message in bad.items():
            failures.append(self._failure(candidate, message or "The file has vanished."))
            if candidate.path in self._found.signatures:
                shown.append(candidate.path)
            if message:
                filename = filename_of(candidate.path)
                self._db.table("unreadable").upsert(
                    {
                        "track_id": track_id_of(filename),
                        "filename": filename,
                        "signature": candidate.signature,
                        "message": failures[-1]["message"],
                    }
                )
        if failures:
            self._s._state.add_failure(failures)
        self._index_orphan(shown)

    def _failure(self, candidate: Candidate, message: str) -> dict[str, str]:
        """Counts and logs it; as ``failures`` of the status shows it."""
        self._counters["failed"] += 1
        told = {"file": clean(filename_of(candidate.path)), "message": clean(message)[:_LONGEST]}
        self._s._context.log.warning("A song could not be read: %(file)s: %(message)s", told)
        return told

    # Cleaning up

    def _orphan(self, gone: Sequence[str]) -> None:
        for chunk in chunks(gone, _BATCH):
            self._check()
            with self._db.transaction():
                self._counters["removed"] += len(chunk)
                self._index_orphan(chunk)

    def _index_orphan(self, paths: Sequence[str]) -> None:
        if not paths:
            return
        names, params = listed([track_id_of(filename_of(path)) for path in paths])
        rows = self._db.query(
            f"SELECT id, track_id, filename FROM songs WHERE track_id IN ({names})", params
        )
        self._s._index.orphan([row["id"] for row in rows])
        for row in rows:
            self._tell("song_removed", row["track_id"], row["filename"])

    def _tell(self, what: str, track_id: str, filename: str) -> None:
        if self._tell_each:
            self._s._emit(what, trackId=track_id, filename=filename)

    def _announce(self, current: str) -> None:
        now = time.monotonic()
        if now - self._announced < _PAUSE and self._done < self._total:
            return
        self._announced, self._current = now, current
        name = filename_of(current).rpartition("/")[2]
        self._s._state.update(done=self._done, current=name, **self._counters)
        self._s._emit("scan_progressed", done=self._done, total=self._total, current=name)
