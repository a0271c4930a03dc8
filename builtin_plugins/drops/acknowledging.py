"""Acknowledgements: messages of the protocol's own, sent once for each that asks (5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from builtin_plugins.drops import strict
from builtin_plugins.drops.directory import Contact, Directories, Identity
from builtin_plugins.drops.inbox import Received
from builtin_plugins.drops.sending import Sender
from builtin_plugins.drops.wire import INTERNAL, Message, wire_text
from plugin_sdk import Context, Row

__all__ = ["JOB", "Acknowledgements"]

JOB: Final = "acknowledge"
_NONE_WANTED: Final = "0"
_FIRST_PAUSE_MS: Final = 10_000
_LONGEST_PAUSE_MS: Final = 3_600_000
_MOST_MS: Final = 14 * 86_400_000
_BATCH: Final = 100


class Acknowledgements:
    """The table ``acknowledgement``: what is still to be sent. It is written with the messages
    themselves, and sent by a job. A ``drop`` message never gets here.

    What did not arrive is tried again, after ten seconds and then ever later, for two weeks. Each
    has its time stamp from the beginning: should the process die between sending it and noting
    that, the receiver gets the same message twice, which counts once."""

    def __init__(self, context: Context, directories: Directories, sender: Sender) -> None:
        self._context = context
        self._table = context.db.table("acknowledgement")
        self._directories = directories
        self._sender = sender

    def note(self, received: Sequence[Received]) -> bool:
        """Whether one of them asks for an acknowledgement; inside their transaction."""
        if not self._context.settings["acknowledge"]:
            return False
        asking = [
            each.message
            for each in received
            if each.message.acknowledge_id != _NONE_WANTED and each.contact is not None
        ]
        now = self._context.clock.ms()
        for message in asking:
            self._table.insert(
                {
                    "sender": message.receiver,
                    "receiver": message.sender,
                    "acknowledge_id": strict.compact(message.acknowledge_id),
                    "time_stamp": now,
                    "attempts": 0,
                    "due_at": now,
                }
            )
        return bool(asking)

    def start(self) -> None:
        """Has the job run, if there is anything to send now. One look at an index."""
        if self._due(1):
            self._context.jobs.start(JOB, key=JOB)

    def send(self, go_on: Callable[[], bool]) -> int:
        """Sends what is due; returns how many arrived."""
        sent = 0
        unreachable: set[str] = set()
        while rows := self._due(_BATCH):
            for row in rows:
                if not go_on():
                    return sent
                sent += self._try(row, unreachable)
        return sent

    def _try(self, row: Row, unreachable: set[str]) -> bool:
        """One attempt; none to somebody who could not be reached a moment ago."""
        way = self._way(row)
        if way is None:
            self._table.delete(row["id"])
            return False
        now, attempts = self._context.clock.ms(), row["attempts"] + 1
        pause = min(_FIRST_PAUSE_MS * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE_MS)
        # Noted before it is sent: a process that dies of one does not die of it for ever.
        self._table.update(row["id"], {"attempts": attempts, "due_at": now + pause})
        if row["receiver"] in unreachable or not self._deliver(row, *way):
            unreachable.add(row["receiver"])
            return False
        self._table.delete(row["id"])
        return True

    def _way(self, row: Row) -> tuple[Identity, Contact] | None:
        """From whom to whom; None when it is not to be sent any more."""
        if not self._context.settings["acknowledge"]:
            return None
        if self._context.clock.ms() - row["time_stamp"] > _MOST_MS:
            self._context.log.warning("An acknowledgement could not be delivered for two weeks.")
            return None
        directory = self._directories.present()
        identity = directory.identities.get(row["sender"])
        contact = directory.contacts.get((row["sender"], row["receiver"]))
        return None if identity is None or contact is None else (identity, contact)

    def _deliver(self, row: Row, identity: Identity, contact: Contact) -> bool:
        wanted = strict.parse(row["acknowledge_id"])
        message = Message(row["time_stamp"], identity.key, INTERNAL, {}, wanted)
        delivery = self._sender.deliver(identity, contact, wire_text(message))
        if delivery.drop_url is None:
            self._context.log.info("An acknowledgement was not delivered: %s", delivery.error)
        return delivery.drop_url is not None

    def _due(self, limit: int) -> list[Row]:
        now = {"now": self._context.clock.ms()}
        return self._table.rows_where("due_at <= :now", now, order_by="due_at, id", limit=limit)
