"""From what lies in a box to what enters the inbox (contract, sections 6 and 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from builtin_plugins.drops.acknowledging import Acknowledgements
from builtin_plugins.drops.cursors import Cursor, Cursors
from builtin_plugins.drops.directory import Box, Directories, Directory
from builtin_plugins.drops.documents import Documents
from builtin_plugins.drops.drop_urls import host_of
from builtin_plugins.drops.fetching import Fetched, fetch
from builtin_plugins.drops.inbox import Inbox, Received
from builtin_plugins.drops.wire import INTERNAL, digest, read_wire
from plugin_sdk import Context

__all__ = ["Receiver"]

_BATCH: Final = 500


class Receiver:
    """Reads one box at a time; used by several threads at once."""

    def __init__(
        self,
        context: Context,
        documents: Documents,
        directories: Directories,
        cursors: Cursors,
        inbox: Inbox,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._context = context
        self._db = context.db
        self._settings = context.settings
        self._documents = documents
        self._directories = directories
        self._cursors = cursors
        self._inbox = inbox
        self._acknowledgements = acknowledgements

    def boxes(self) -> tuple[Directory, Sequence[Box]]:
        """Whom to ask in a round that begins now."""
        self._cursors.accept_unknown(self._settings["acceptUnknownSenders"])
        directory = self._directories.present()
        return directory, directory.boxes

    def poll(self, directory: Directory, box: Box) -> int:
        """Asks a box and stores what is new; returns how many messages that were. Raises
        BoxFailed. An answer without news writes nothing."""
        cursor = self._cursors.get(box.url)
        accept: bool = self._settings["acceptUnknownSenders"]
        with fetch(
            self._context.http, box.url, cursor, self._settings["boxTimeoutSeconds"]
        ) as fetched:
            if fetched is None:
                return 0
            return self._take(directory, box, fetched, cursor, accept)

    def _take(
        self, directory: Directory, box: Box, fetched: Fetched, before: Cursor, accept: bool
    ) -> int:
        """In batches, so that neither memory nor a transaction grows with the box; the cursor is
        stored with the last one. What is stored twice is known by its digest."""
        discarded: Counter[str] = Counter()
        count = 0
        batch: list[Received] = []
        for received in self._opened(directory, box, fetched, accept, discarded):
            batch.append(received)
            if len(batch) == _BATCH:
                count += self._store(batch)
                batch = []
        moved = fetched.cursor if fetched.cursor != before else None
        count += self._store(batch, directory, box, moved, accept)
        if discarded:
            reasons = ", ".join(f"{number} {reason}" for reason, number in discarded.items())
            self._context.log.info("Discarded from a box at %s: %s.", host_of(box.url), reasons)
        return count

    def _opened(
        self,
        directory: Directory,
        box: Box,
        fetched: Fetched,
        accept: bool,
        discarded: Counter[str],
    ) -> Iterator[Received]:
        for pdu in fetched.messages():
            opened = box.opener.open_pdu(pdu)
            if opened is None:
                discarded["for somebody else"] += 1
                continue
            identity, sender = opened.who, opened.sender.hex()
            message = read_wire(opened.text, identity.key)
            if message is None:
                discarded["no drop message"] += 1
                continue
            if message.sender != sender:
                discarded["forged"] += 1
                continue
            contact = directory.contact(identity, sender)
            if contact is None and not accept:
                discarded["from a stranger"] += 1
            elif message.model_object == INTERNAL:
                discarded["internal"] += 1  # an acknowledgement: it needs no answer
            else:
                yield Received(digest(identity.key, opened.text), message, identity, contact)

    def _store(
        self,
        batch: Sequence[Received],
        directory: Directory | None = None,
        box: Box | None = None,
        cursor: Cursor | None = None,
        accept: bool = False,
    ) -> int:
        if cursor is None and not self._inbox.unseen(batch):
            return 0
        with self._db.transaction():
            fresh = self._inbox.add(batch)
            for each in fresh:
                event = each.message.told(each.message.receiver)
                self._context.events.emit("drops.received", event)
            waiting = self._acknowledgements.note(fresh)
            if cursor is not None and box is not None and directory is not None:
                # What somebody new may read was judged without them: then it is read again.
                same = self._documents.version("synced") == directory.version
                if same and self._settings["acceptUnknownSenders"] == accept:
                    self._cursors.set(box.url, cursor)
        if waiting:
            self._acknowledgements.start()
        for each in fresh:
            self._tell(each)
        return len(fresh)

    def _tell(self, received: Received) -> None:
        self._context.hooks.call(
            "drops_received",
            message=received.message.shown(),
            contact=received.contact.shown() if received.contact is not None else None,
            identity=received.identity.shown(),
        )
