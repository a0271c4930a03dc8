"""What lies in the boxes (contract of drops, section 9).

Boxes need no creation, reading empties nothing, nobody can delete. What is too old or too much
is never shown, and removed by and by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from plugin_sdk import Clock, Database, Settings

__all__ = ["Message", "Messages", "Span"]

_DAY_US: Final = 86_400_000_000
_BATCH: Final = 1000

_NEWEST: Final = """
    SELECT posted_us, no FROM drop_message WHERE box = :box ORDER BY posted_us DESC LIMIT 1
"""
_READ: Final = """
    SELECT posted_us, body FROM drop_message
    WHERE box = :box AND posted_us >= :first AND posted_us <= :newest AND no > :gone
    ORDER BY posted_us
"""
_PRUNE_OLD: Final = """
    DELETE FROM drop_message WHERE seq IN
    (SELECT seq FROM drop_message WHERE posted_us < :oldest ORDER BY posted_us LIMIT :batch)
"""
_OVERFULL: Final = """
    SELECT box, MAX(no) AS newest FROM drop_message GROUP BY box
    HAVING MAX(no) - MIN(no) >= :most
"""
_PRUNE_BOX: Final = """
    DELETE FROM drop_message WHERE seq IN
    (SELECT seq FROM drop_message WHERE box = :box AND no <= :gone LIMIT :batch)
"""
_STATISTICS: Final = """
    SELECT COUNT(DISTINCT box) AS boxes, COUNT(*) AS messages,
    COALESCE(SUM(LENGTH(body)), 0) AS bytes FROM drop_message
"""


@dataclass(frozen=True, slots=True)
class Message:
    """``posted_us``: microseconds since the epoch."""

    posted_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Messages of one box that may be shown: from ``first`` to ``newest``, both included, without
    those whose number is ``gone`` or smaller."""

    box: str
    first: int
    newest: int
    gone: int


class Messages:
    """The table ``drop_message``."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._db = database
        self._clock = clock
        self._settings = settings

    def add(self, box: str, body: bytes) -> None:
        """Stores a message behind all others, also when the clock stands or goes back. Costs the
        same however many there are."""
        with self._db.transaction():
            last = self._db.value("SELECT posted_us FROM last_posted WHERE name = 'any'")
            posted = max(self._now_us(), last + 1)
            self._db.execute(
                "UPDATE last_posted SET posted_us = :posted WHERE name = 'any'", {"posted": posted}
            )
            newest = self._db.one(_NEWEST, {"box": box})
            number = newest["no"] + 1 if newest else 1
            row = {"box": box, "no": number, "posted_us": posted, "body": body}
            self._db.table("drop_message").insert(row)

    def span(self, box: str, after_us: int | None) -> Span | None:
        """What there is beyond ``after_us``; None for nothing. Looks at one row only."""
        newest = self._db.one(_NEWEST, {"box": box})
        first = max(self._oldest_us(), 0 if after_us is None else after_us + 1)
        if newest is None or newest["posted_us"] < first:
            return None
        gone = newest["no"] - self._settings["maxMessagesPerBox"]
        return Span(box, first, newest["posted_us"], gone)

    def read(self, span: Span) -> Iterator[Message]:
        """Oldest first, in constant memory."""
        params: dict[str, Any] = {
            "box": span.box,
            "first": span.first,
            "newest": span.newest,
            "gone": span.gone,
        }
        for row in self._db.iterate(_READ, params):
            yield Message(row["posted_us"], bytes(row["body"]))

    def prune(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """Removes what is not shown any more, in batches so that nobody waits for long; returns
        how many messages that were."""
        removed = self._delete(_PRUNE_OLD, {"oldest": self._oldest_us()}, go_on)
        most = self._settings["maxMessagesPerBox"]
        for row in self._db.query(_OVERFULL, {"most": most}):
            gone = {"box": row["box"], "gone": row["newest"] - most}
            removed += self._delete(_PRUNE_BOX, gone, go_on)
        return removed

    def statistics(self) -> dict[str, int]:
        """``boxes``, ``messages``, ``bytes``."""
        row = self._db.one(_STATISTICS)
        assert row is not None
        return {name: int(row[name]) for name in ("boxes", "messages", "bytes")}

    def _delete(self, sql: str, params: dict[str, Any], go_on: Callable[[], bool]) -> int:
        removed = 0
        while go_on():
            count = self._db.execute(sql, {**params, "batch": _BATCH})
            removed += count
            if count < _BATCH:
                break
        return removed

    def _oldest_us(self) -> int:
        """Everything before this is over."""
        days = self._settings["retentionDays"]
        return self._now_us() - days * _DAY_US if days else 0

    def _now_us(self) -> int:
        return int(self._clock.time() * 1_000_000)
