"""What the outside world answered to a scan, kept until it is stored: a scan that is stopped or
killed asks for none of it a second time (media contract, 7.2)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from plugin_sdk import Database, Row

__all__ = ["KeptAnswers", "Key"]

Key = tuple[Any, ...]
Kind = Literal["step", "title", "picture", "season", "known"]
"""Seasons, and what is known of titles, stay until the job ends; the rest goes when that is stored
what it was asked for."""

_STORED: Final = "job_id = :id AND kind IN ('step', 'title', 'picture')"


class KeptAnswers:
    """Of one job, for many threads. An answer is durable when `keep` returns, and whoever got it
    asks for nothing else before that. Whoever has the writer's turn writes what all have noted so
    far; what is noted meanwhile goes into the next commit."""

    def __init__(self, database: Database, job: Row) -> None:
        self._db = database
        self._job = job
        self._noting = threading.Lock()
        self._writing = threading.Lock()
        self._noted: dict[str, Row] = {}
        self._count = self._written = 0
        self._left: bool | None = None
        self._to_clear = False

    def read(self) -> None:
        """Whether an earlier run left anything; before the first answer is asked for."""
        if self._left is None:
            self._left = self._to_clear = (
                self._db.value(
                    "SELECT 1 FROM kept_answer WHERE job_id = :id LIMIT 1", {"id": self._job["id"]}
                )
                is not None
            )

    def find(self, kind: Kind, key: Key) -> Any:
        """A JSON value; None when nothing is kept. This run remembers by itself what it asked,
        but for seasons."""
        if not self._left and kind != "season":
            return None
        text = self._db.value(
            "SELECT answer FROM kept_answer WHERE job_id = :id AND key = :key",
            {"id": self._job["id"], "key": _key_text(kind, key)},
        )
        return None if text is None else json.loads(text)

    def keep(self, kind: Kind, key: Key, value: Any) -> None:
        """A JSON value; what is none is not kept, nor what belongs to a job that was ended or is
        another worker's."""
        row = self._row(kind, key, value)
        if row is None:
            return
        with self._noting:
            self._noted[row["key"]] = row
            self._count += 1
            mine = self._count
        with self._writing:
            if self._written >= mine:  # whoever wrote before us took it along
                return
            with self._noting:
                noted, self._noted = self._noted, {}
                count = self._count
            try:
                self._write(list(noted.values()))
            except BaseException:
                with self._noting:
                    self._noted = {**noted, **self._noted}
                raise
            self._written = count

    def once(self, key: Key, ask: Callable[[], Any]) -> Any:
        """What ``ask`` answers, or answered to an earlier run."""
        held = self.find("step", key)
        if held is None:
            held = {"answer": ask()}
            self.keep("step", key, held)
        return held["answer"]

    def settle(self, known: Mapping[Key, Any]) -> None:
        """Inside the transaction that stores what was asked for: what is ``known`` of titles from
        now on is enough."""
        table = self._db.table("kept_answer")
        if self._to_clear:
            table.delete_where(_STORED, {"id": self._job["id"]})
        rows = [self._row("known", key, value) for key, value in known.items()]
        if rows:
            table.upsert_all([row for row in rows if row is not None])

    def settled(self) -> None:
        """After that transaction."""
        self._to_clear = False

    def forget(self) -> None:
        """Inside the transaction that ends the job."""
        self._db.table("kept_answer").delete_where("job_id = :id", {"id": self._job["id"]})

    def _row(self, kind: Kind, key: Key, value: Any) -> Row | None:
        try:
            text = json.dumps(value)
        except (TypeError, ValueError):
            return None
        return {
            "job_id": self._job["id"],
            "key": _key_text(kind, key),
            "answer": text,
            "kind": kind,
        }

    def _write(self, rows: list[Row]) -> None:
        mine = {"id": self._job["id"], "run": self._job["run"]}
        with self._db.transaction():
            alive = self._db.value(
                "SELECT 1 FROM scan_job WHERE id = :id AND"
                " (status = 'PAUSED' OR (status = 'IN_PROGRESS' AND run = :run))",
                mine,
            )
            if alive is not None:
                self._db.table("kept_answer").upsert_all(rows)
        self._to_clear = True


def _key_text(kind: Kind, key: Key) -> str:
    """Plain ASCII, whatever a file is called."""
    return ascii((kind, *key))
