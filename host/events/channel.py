"""A channel: one emitter, its outbox, and how far each owner of subscriptions is with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from host.db.engine import HostDatabase
from host.events.mailbox import Lane, Mailbox
from host.events.outbox import Letter, Outbox
from host.events.subscribers import SubscriberTable

__all__ = ["Channel"]

RETRY_SECONDS: Final = 0.5
_MAX_RETRY_SECONDS: Final = 60.0
_BATCH: Final = 64


class Channel:
    """The bus's lock guards all fields but the outbox; methods are called with it held."""

    def __init__(self, source: str, database: HostDatabase, owner: str) -> None:
        self.source = source
        self.outbox = Outbox(database, owner)
        self.lanes: dict[str, Lane] = {}
        self.last = 0
        """The last position that was given out, of commits and rollbacks."""
        self.head = 0
        """The last position known to be committed."""
        self.front = 0
        """Where an owner that comes now begins: what lies before was handed over."""
        self.base = 0
        """Rows up to here are of an earlier database of this name: not to be touched."""
        self.swept = 0
        """Rows up to here were removed."""
        self.unnoticed = 0
        """Events without subscriber that nobody has been woken for."""
        self.fresh = True
        """Nothing was handed over yet: own rows, if there are any, are an earlier life's."""
        self.failures = {"read": 0, "clear": 0}
        """How often in a row reading, or removing what was handled, did not succeed."""

    @property
    def handled(self) -> int:
        """Everything up to here was handled by everybody."""
        return min((lane.handled for lane in self.lanes.values()), default=self.front)

    def wants_more(self) -> bool:
        """Whether somebody with room was not told everything yet. Mailboxes without room are
        asked to call when they have some."""
        if not self.lanes:
            return self.front < self.head
        behind = [lane for lane in self.lanes.values() if lane.fed < self.head]
        for lane in behind:
            if not lane.mailbox.has_room:
                lane.mailbox.starved.add(self.source)
        return any(lane.mailbox.has_room for lane in behind)

    def connect(self, table: SubscriberTable, mailbox: Callable[[str], Mailbox]) -> None:
        """Follows a new table: owners that stay keep their place, new ones begin at the front."""
        before = self.lanes
        self.lanes = {}
        for owner in table.owners_of_source(self.source):
            box = mailbox(owner)
            lane = before.get(owner)
            if lane is None or lane.mailbox is not box:
                lane = Lane(self.source, box, self.front)
            self.lanes[owner] = lane

    def failed(self, what: str) -> float:
        """Counts a failure; returns the seconds after which to try again."""
        self.failures[what] += 1
        return min(_MAX_RETRY_SECONDS, RETRY_SECONDS * 2.0 ** (self.failures[what] - 1))

    def reserve(self, count: int) -> int:
        """Gives out positions; returns the first. To be called inside a write transaction, so
        that positions are in the order of the commits."""
        first = self.last + 1
        self.last += count
        return first

    def next_read(self) -> tuple[list[Lane], int, int] | None:
        """Who is to be told next: lanes with room at one position, that position, and the head;
        None when everybody was told everything or has no room."""
        self.unnoticed = 0
        self.fresh = self.fresh and self.head == self.front
        if not self.lanes:
            self.front = self.head
            return None
        behind = [lane for lane in self.lanes.values() if lane.fed < self.head]
        ready = [lane for lane in behind if lane.mailbox.has_room]
        if not ready:
            return None
        after = min(lane.fed for lane in ready)
        return [lane for lane in ready if lane.fed == after], after, self.head

    def read(self, after: int) -> list[Letter]:
        """The next rows; called without the lock."""
        return self.outbox.read(after, _BATCH)

    def feed(
        self, lanes: list[Lane], letters: list[Letter], head: int, table: SubscriberTable
    ) -> None:
        """Puts rows into the mailboxes of whom they concern. ``head`` is what was committed
        before the rows were read."""
        for lane in lanes:
            if self.lanes.get(lane.mailbox.owner) is lane:
                self._feed(lane, letters, head, table)
                self.front = max(self.front, lane.fed)

    def reset(self, database: HostDatabase) -> None:
        """The database was replaced, or is about to be: nothing of it is known any more."""
        self.outbox = Outbox(database, self.outbox.owner)
        self.head = self.front = self.swept = self.base = self.last
        self.fresh = True
        boxes = {owner: lane.mailbox for owner, lane in self.lanes.items()}
        self.lanes = {owner: Lane(self.source, box, self.front) for owner, box in boxes.items()}

    def _feed(self, lane: Lane, letters: list[Letter], head: int, table: SubscriberTable) -> None:
        for letter in letters:
            if lane.mailbox.owner in table.of(letter.name):
                if not lane.mailbox.has_room:
                    return
                lane.mailbox.put(lane, letter)
            lane.fed = letter.position
        if len(letters) < _BATCH:
            lane.fed = max(lane.fed, head)
