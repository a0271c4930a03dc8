"""Acknowledgements: messages of the protocol's own, sent once for each that asks (5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from builtin_plugins.drops.directory import Directories
from builtin_plugins.drops.inbox import Received
from builtin_plugins.drops.sending import Sender
from builtin_plugins.drops.wire import INTERNAL, Message, wire_text
from plugin_sdk import Context

__all__ = ["JOB", "Acknowledgements"]

JOB: Final = "acknowledge"
_NONE_WANTED: Final = "0"


class Acknowledgements:
    """The table ``acknowledgement``: what is still to be sent. It is written with the messages
    themselves, and sent by a job. A ``drop`` message never gets here."""

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
        for message in asking:
            self._table.insert(
                {
                    "sender": message.receiver,
                    "receiver": message.sender,
                    "acknowledge_id": message.acknowledge_id,
                }
            )
        return bool(asking)

    def start(self) -> None:
        """Has the job run, if there is anything to send."""
        if self._table.count_where():
            self._context.jobs.start(JOB, key=JOB)

    def send(self, go_on: Callable[[], bool]) -> int:
        """Sends what is waiting; returns how many arrived. Each is tried once: the sender asks
        again if it matters."""
        sent = 0
        for row in self._table.rows_where(order_by="id"):
            if not go_on():
                break
            if self._table.delete(row["id"]):  # before sending: a second one would be a lie
                sent += self._send(row["sender"], row["receiver"], row["acknowledge_id"])
        return sent

    def _send(self, sender: str, receiver: str, acknowledge_id: str) -> bool:
        directory = self._directories.present()
        identity = directory.identities.get(sender)
        contact = directory.contacts.get((sender, receiver))
        if identity is None or contact is None:
            return False
        message = Message(self._context.clock.ms(), sender, INTERNAL, {}, acknowledge_id)
        delivery = self._sender.deliver(identity, contact, wire_text(message))
        if delivery.drop_url is None:
            self._context.log.info("An acknowledgement was not delivered: %s", delivery.error)
        return delivery.drop_url is not None
