"""When members were last seen (open-group contract, 12.3).

Kept in memory and written once a minute in one batch: a poll never writes by itself. A crash
loses a minute at most.
"""

from __future__ import annotations

import threading
from typing import Final

from plugin_sdk import Database, Logger, StageboxError

__all__ = ["Activity"]

_SECONDS: Final = 60.0
_BATCH: Final = 1000
_WRITE: Final = """
    UPDATE members SET last_seen_at = :at WHERE room_id = :room AND user_id = :key
    AND (last_seen_at IS NULL OR last_seen_at < :at)
"""


class Activity:
    def __init__(self, database: Database, log: Logger) -> None:
        self._db = database
        self._log = log
        self._seen: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, room_id: str, key: str, now: int) -> None:
        """Remembers that a member was there; cheap."""
        self._seen[room_id, key] = now
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Writes what was noted; what cannot be written now is kept for the next time."""
        with self._lock:
            seen, self._seen = self._seen, {}
        rows = [{"room": room, "key": key, "at": at} for (room, key), at in list(seen.items())]
        try:
            for start in range(0, len(rows), _BATCH):
                self._db.executemany(_WRITE, rows[start : start + _BATCH])
        except StageboxError:
            with self._lock:
                self._seen = {**seen, **self._seen}
            raise

    def close(self) -> None:
        """Writes for the last time."""
        self._over.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
            self._try_flush()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="rooms-activity", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            self._try_flush()

    def _try_flush(self) -> None:
        try:
            self.flush()
        except Exception:
            self._log.exception("It could not be written when members were last seen.")
