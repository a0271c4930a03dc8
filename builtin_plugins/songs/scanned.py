"""What a full run has read, so that one that was interrupted goes on behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from builtin_plugins.songs.identity import filename_of, track_id_of
from builtin_plugins.songs.scan_state import Mode
from builtin_plugins.songs.walking import Candidate
from plugin_sdk import Database

__all__ = ["Scanned"]


class Scanned:
    """``run`` is when the run began; it stays the same however often its process ends. An
    incremental run needs no memory: what it has read is unchanged the next time."""

    def __init__(self, db: Database, mode: Mode, run: int) -> None:
        self._db = db
        self._full = mode == "full"
        self._run = run

    def left_of(self, tasks: Sequence[Candidate]) -> tuple[list[Candidate], Counter[str]]:
        """What is still to be read, and by counter what became of the others."""
        self._db.execute("DELETE FROM scanned WHERE run <> :run", {"run": self._run})
        counters: Counter[str] = Counter()
        if not self._full:
            return list(tasks), counters
        read = {row["path"]: row for row in self._db.iterate("SELECT * FROM scanned")}
        left = []
        for task in tasks:
            row = read.get(_key(task))
            if row is None or row["signature"] != task.signature:
                left.append(task)
            else:
                counters[row["outcome"]] += 1
        return left, counters

    def keep(self, read: Iterable[Candidate], outcomes: Mapping[str, str]) -> None:
        """In the transaction that writes them; ``outcomes`` by path, failed are not named."""
        if self._full:
            self._db.table("scanned").upsert_all(
                {
                    "path": _key(each),
                    "signature": each.signature,
                    "outcome": outcomes.get(each.path, "failed"),
                    "run": self._run,
                }
                for each in read
            )

    def forget(self) -> None:
        """The run is over."""
        self._db.table("scanned").delete_where()


def _key(song: Candidate) -> str:
    """A path may be longer than what an index takes."""
    return track_id_of(filename_of(song.path))
