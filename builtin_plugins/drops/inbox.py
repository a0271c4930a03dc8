"""The inbox: what was received, once each, until it is fetched and for a while after (7.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.drops import strict
from builtin_plugins.drops.directory import Contact, Identity
from builtin_plugins.drops.wire import Message
from plugin_sdk import Clock, Database, Settings

__all__ = ["Inbox", "Received"]

_DAY_MS: Final = 86_400_000
_VANISHED_DAYS: Final = 30
_DIGEST_DAYS: Final = 400
_BATCH: Final = 500
_ALL: Final = "SELECT json FROM inbox"
_MARK: Final = "UPDATE inbox SET delivered_at = :now WHERE delivered_at IS NULL"
_OLD: Final = "delivered_at < :before"
_KEPT: Final = "(delivered_at IS NULL OR delivered_at >= :before)"
_FORLORN: Final = """
    delivered_at IS NULL AND receiver IN (SELECT receiver FROM vanished WHERE since < :before)
"""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was opened and checked; ``contact`` is None for a stranger."""

    digest: str
    message: Message
    identity: Identity
    contact: Contact | None


class Inbox:
    """The tables ``inbox``, ``seen`` and ``vanished``."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._db = database
        self._clock = clock
        self._settings = settings

    def unseen(self, received: Sequence[Received]) -> list[Received]:
        """Those that were never stored; each once."""
        table = self._db.table("seen")
        found = {each.digest: each for each in received}
        return [each for digest, each in found.items() if table.get(digest) is None]

    def add(self, received: Sequence[Received]) -> list[Received]:
        """Stores what is new, and returns that. Inside a transaction, in which it cannot be
        stored twice."""
        fresh = self.unseen(received)
        now = self._clock.ms()
        for each in fresh:
            message = each.message
            number = self._db.table("inbox").insert(
                {
                    "receiver": message.receiver,
                    "sender": message.sender,
                    "time_stamp": message.time_stamp,
                    "json": strict.compact(message.shown()),
                    "received_at": now,
                    "delivered_at": None,
                }
            )
            row = {"digest": each.digest, "message": number, "gone_at": None}
            self._db.table("seen").insert(row)
        return fresh

    def take(self, receivers: Collection[str]) -> list[str]:
        """JSON texts of what is new, by time stamp, then arrival; marks them delivered in the same
        transaction: of several at once exactly one gets a message."""
        if not self.has(receivers, only_new=True):
            return []
        with self._db.transaction():
            where, params = _among(receivers)
            rows = self._db.table("inbox").rows_where(
                f"delivered_at IS NULL AND {where}",
                params,
                order_by="time_stamp, id",
                select="json",
            )
            # Nothing but names of parameters is put into the text.
            mark = f"{_MARK} AND {where}"
            self._db.execute(mark, {**params, "now": self._clock.ms()})
        return [row["json"] for row in rows]

    def all(self, receivers: Collection[str]) -> Iterator[str]:
        """Delivered or not, one after the other: there may be very many. Those whose time is over
        are not shown, whether they are removed already or not."""
        where, params = self._kept(receivers)
        for row in self._db.iterate(f"{_ALL} WHERE {where} ORDER BY time_stamp, id", params):
            yield row["json"]

    def has(self, receivers: Collection[str], *, only_new: bool) -> bool:
        """Whether there is any. One look at an index."""
        where, params = self._kept(receivers)
        if only_new:
            where, params = _among(receivers)
            where = f"delivered_at IS NULL AND {where}"
        return bool(self._db.table("inbox").rows_where(where, params, select="id", limit=1))

    def statistics(self) -> dict[str, int]:
        table = self._db.table("inbox")
        return {"messages": table.count_where(), "new": table.count_where("delivered_at IS NULL")}

    def follow(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Notes which identities vanish, and which are back. Inside the transaction that changes
        the synced document."""
        before, now = _live(old), _live(new)
        table = self._db.table("vanished")
        for key in before - now:
            table.upsert({"receiver": key, "since": self._clock.ms()})
        for key in now - before:
            table.delete(key)

    def prune(self) -> int:
        """Removes delivered messages whose time is over, undelivered ones of identities that
        vanished long ago, and digests of messages gone long since. Returns how many messages."""
        now = self._clock.ms()
        delivered = {"before": self._delivered_before()}
        vanished = {"before": now - _VANISHED_DAYS * _DAY_MS}
        removed = 0
        for condition, params in ((_OLD, delivered), (_FORLORN, vanished)):
            while gone := self._remove(condition, params, now):
                removed += gone
        old = {"before": now - _DIGEST_DAYS * _DAY_MS}
        self._db.table("seen").delete_where("gone_at < :before", old)
        return removed

    def _kept(self, receivers: Collection[str]) -> tuple[str, dict[str, Any]]:
        where, params = _among(receivers)
        return f"{where} AND {_KEPT}", {**params, "before": self._delivered_before()}

    def _delivered_before(self) -> int:
        """What was delivered before this is over."""
        days: int = self._settings["inboxRetentionDays"]
        return self._clock.ms() - days * _DAY_MS

    def _remove(self, condition: str, params: Mapping[str, Any], now: int) -> int:
        with self._db.transaction():
            rows = self._db.table("inbox").rows_where(condition, params, select="id", limit=_BATCH)
            for row in rows:
                self._db.execute(
                    "UPDATE seen SET gone_at = :now WHERE message = :id",
                    {"now": now, "id": row["id"]},
                )
                self._db.table("inbox").delete(row["id"])
        return len(rows)


def _live(document: Mapping[str, Any]) -> set[str]:
    """The key ids of live identities."""
    return {each["keys"]["public_key"] for each in document["identities"] if not each["deleted"]}


def _among(receivers: Collection[str]) -> tuple[str, dict[str, Any]]:
    """A condition on the receiver; never true for nobody."""
    names = {f"r{number}": each for number, each in enumerate(receivers)}
    if not names:
        return "1 = 0", {}
    return f"receiver IN ({', '.join(':' + name for name in names)})", dict(names)
