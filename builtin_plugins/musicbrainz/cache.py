"""Answers that were given already, kept in the plugin's database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from plugin_sdk import Clock, Database, dump_json, parse_json

__all__ = ["Cache", "create_cache"]

MAX_ANSWERS: Final = 20_000
_DAY: Final = 86_400_000
_SWEEP_EVERY: Final = 100


def create_cache(db: Database) -> None:
    """``answer`` is JSON text; null says that the server knows nothing of the kind."""
    db.table("answers").create(
        {"id": "integer", "question": "text", "answer": "text", "fetched_at": "integer"}, pk="id"
    )
    db.table("answers").create_index(["question"], unique=True)
    db.table("answers").create_index(["fetched_at", "id"])


class Cache:
    """``days`` is asked anew each time: how long an answer is good."""

    def __init__(self, db: Database, clock: Clock, days: Callable[[], int]) -> None:
        self._db = db
        self._clock = clock
        self._days = days

    def get(self, question: str) -> tuple[bool, Any]:
        """Whether it is known, and the answer."""
        row = self._db.one(
            "SELECT answer FROM answers WHERE question = :question AND fetched_at > :since"
            " AND fetched_at <= :now",
            {"question": _key(question), "since": self._since(), "now": self._clock.ms()},
        )
        return (False, None) if row is None else (True, parse_json(row["answer"]))

    def put(self, question: str, answer: Any) -> None:
        if self._days() <= 0:
            return
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO answers (question, answer, fetched_at)"
                " VALUES (:question, :answer, :now) ON CONFLICT (question) DO UPDATE"
                " SET answer = excluded.answer, fetched_at = excluded.fetched_at",
                {"question": _key(question), "answer": dump_json(answer), "now": self._clock.ms()},
            )
            newest = self._db.value(
                "SELECT id FROM answers WHERE question = :question", {"question": _key(question)}
            )
            if newest % _SWEEP_EVERY == 0:
                self.sweep()

    def sweep(self) -> None:
        """Drops what is too old, and the oldest of too many."""
        self._db.execute("DELETE FROM answers WHERE fetched_at <= :since", {"since": self._since()})
        oldest = self._db.value(
            "SELECT fetched_at FROM answers ORDER BY fetched_at DESC, id DESC LIMIT 1 OFFSET :kept",
            {"kept": MAX_ANSWERS},
        )
        if oldest is not None:
            self._db.execute("DELETE FROM answers WHERE fetched_at <= :at", {"at": oldest})

    def _since(self) -> int:
        return self._clock.ms() - self._days() * _DAY


def _key(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()
