"""A run over the song folder (songs contract, 4)."""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from builtin_plugins.songs.identity import clean, filename_of, track_id_of
from builtin_plugins.songs.index import Found, LibraryIndex, Outcome, chunks, listed
from builtin_plugins.songs.reading import READING_SECONDS, Reading
from builtin_plugins.songs.scan_state import BEAT_SECONDS, Mode, ScanState
from builtin_plugins.songs.scanned import Scanned
from builtin_plugins.songs.walking import Candidate, Walk, plain_formats
from builtin_plugins.songs.workers import ReadingPool
from plugin_sdk import Context, Invalid, SongFormat

__all__ = ["Cancelled", "Scanner"]

_BATCH: Final = 200
_PAUSE: Final = 0.25
"""Seconds between two announcements, and at most until a reading is written."""
_MANY: Final = 1000
_SONGS_PER_WORKER: Final = 20
_LONGEST: Final = 500


class Cancelled(Exception):
    """The run is to stop; whoever began it begins it again."""


class _Known(NamedTuple):
    """Songs of the index that are shown, by path: their signatures, and the formats of those
    that `plain_formats` does not hold."""

    signatures: dict[str, str]
    named: dict[str, str]


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
            except _Unlisted:
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


class _Unlisted(Exception):
    """The song folder cannot be listed."""


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
        self._mode = mode
        self._stopped = stopped
        self._db = scanner._db
        self._formats: Sequence[SongFormat] = list(scanner._context.providers.chain("song_format"))
        self._counters = Counter(added=0, changed=0, removed=0, unchanged=0, failed=0)
        self._tell_each = False
        self._done = self._total = 0
        self._announced = 0.0
        self._heard = time.monotonic()
        self._current = ""
        self._scanned = Scanned(self._db, mode, scanner._state.last_begun() or 0)

    def scan(self) -> Mapping[str, int]:
        known = self._known()
        tasks, seen, closed = self._compare(known)
        found = {filename_of(task.path) for task in tasks}  # perhaps in another Unicode form
        gone = [
            path for path in self._vanished(known, seen, closed) if filename_of(path) not in found
        ]
        tasks, read = self._scanned.left_of(tasks)
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
        self._import(tasks, known)
        self._check()
        self._s._state.update(stage="cleanup", current="")
        self._orphan(gone)
        self._s._state.update(done=self._done, current="", **self._counters)
        self._scanned.forget()
        return self._counters

    def _check(self) -> None:
        if self._stopped():
            raise Cancelled
        now = time.monotonic()
        if now - self._heard >= BEAT_SECONDS:
            self._heard = now
            self._s._state.update()

    # Listing

    def _known(self) -> _Known:
        """Of all songs, so as little as can be."""
        names, params = listed([*plain_formats(self._formats), ""])
        shown = "FROM songs s JOIN tracks t ON t.id = s.id WHERE s.format"
        known = _Known({}, {})
        plain = self._db.iterate(f"SELECT s.path, s.signature {shown} IN ({names})", params)
        known.signatures.update((row["path"], row["signature"]) for row in plain)
        for row in self._db.iterate(
            f"SELECT s.path, s.signature, s.format {shown} NOT IN ({names})", params
        ):
            known.signatures[row["path"]] = row["signature"]
            known.named[row["path"]] = row["format"]
        return known

    def _remembered(self, table: str) -> dict[str, str]:
        rows = self._db.query(f"SELECT track_id, signature FROM {table}")
        return {row["track_id"]: row["signature"] for row in rows}

    def _compare(self, known: _Known) -> tuple[list[Candidate], set[str], Sequence[str]]:
        """What is to be read, the paths that were found, the folders that could not be listed."""
        context = self._s._context
        full = self._mode == "full"
        shown = {} if full else known.signatures
        platform = context.settings["psarcPlatform"]
        walk = Walk(self._root, self._formats, shown, known.named, context.log, platform)
        deleted, unreadable = self._remembered("deletions"), self._remembered("unreadable")
        tasks: list[Candidate] = []
        seen: set[str] = set()
        try:
            for found in walk.songs():
                self._check()
                if _has_twin(self._root, found.path):
                    continue
                seen.add(found.path)
                track_id = _track_id(found.path)
                if track_id is None:
                    told = self._failure(found, "The name of the file is no Unicode text.")
                    self._s._state.add_failure([told])
                elif full or found.signature not in (
                    deleted.get(track_id),
                    unreadable.get(track_id),
                ):
                    tasks.append(found)
        except OSError:
            raise _Unlisted from None
        self._counters["unchanged"] += len(walk.unchanged)
        seen.update(walk.unchanged)
        return tasks, seen, walk.closed

    def _vanished(self, known: _Known, seen: set[str], closed: Sequence[str]) -> list[str]:
        """Paths of songs that are shown and were not found. Those of a format that is switched
        off stay while their file exists."""
        names = {each.name for each in self._formats}
        gone = []
        for path in known.signatures.keys() - seen:
            if closed and path.startswith(tuple(closed)):
                continue
            if known.named.get(path, "") not in {*names, ""} and os.path.lexists(
                os.path.join(self._root, path)  # noqa: PTH118
            ):
                self._counters["unchanged"] += 1
                continue
            gone.append(path)
        return gone

    # Importing

    def _import(self, tasks: Sequence[Candidate], known: _Known) -> None:
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
                    self._write(pending, known, pool.current)
                    pending, written = [], now
            self._write(pending, known, pool.current)

    def _write(
        self,
        readings: Sequence[tuple[Candidate, Reading]],
        known: _Known,
        current: str,
    ) -> None:
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
            ended: dict[str, str] = {}
            outcomes, refused = self._put(list(good.values()))
            for outcome in outcomes:
                found = good[outcome.filename]
                ended[found.path] = self._note(outcome, found, known)
            for found in refused:
                lost = Candidate(found.path, found.format, found.signature, 0.0)
                bad[lost] = "The song holds values that cannot be kept."
            self._refuse(bad, known)
            self._scanned.keep((each for each, _ in readings), ended)
            self._announce(current)

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

    def _note(self, outcome: Outcome, found: Found, known: _Known) -> str:
        """Counts and tells it; as which of the counters."""
        what = outcome.what
        if what == "changed" and known.signatures.get(found.path) == found.signature:
            self._counters["unchanged"] += 1
            return "unchanged"
        self._counters[what] += 1
        self._tell(f"song_{what}", outcome.track_id, outcome.filename)
        return what

    def _refuse(self, bad: Mapping[Candidate, str], known: _Known) -> None:
        """Unreadable songs are remembered with their signature, and are shown no more. One that
        has no message went while it was read."""
        shown = []
        failures = []
        for candidate, message in bad.items():
            failures.append(self._failure(candidate, message or "The file has vanished."))
            if candidate.path in known.signatures:
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


def _has_twin(root: str, path: str) -> bool:
    """Whether another file has the same name but for its Unicode form: the composed one counts."""
    if path.isascii():
        return False
    composed = filename_of(path)
    if composed == path:
        return False
    try:
        return not Path(root, path).samefile(Path(root, composed))
    except OSError:
        return False


def _track_id(path: str) -> str | None:
    """None for a name that is no Unicode text."""
    try:
        return track_id_of(filename_of(path))
    except UnicodeEncodeError:
        return None
