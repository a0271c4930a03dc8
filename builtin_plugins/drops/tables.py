"""The tables, as the first migration makes them (contract, 8.1)."""

from __future__ import annotations

from builtin_plugins.drops import strict
from plugin_sdk import Column, Database

__all__ = ["create_tables", "create_turns", "create_vanished", "quote_acknowledge_ids"]


def create_tables(database: Database) -> None:
    """Documents and messages are finished JSON texts, so that reading renders nothing. Times
    end in ``_at`` and are milliseconds since the epoch. ``version`` grows with each write.
    ``seen`` outlives the messages: it keeps one that comes again from being listed again."""
    text, whole = Column("text", null=False), Column("integer", null=False)
    database.table("document").create(
        {"kind": text, "json": text, "version": whole, "changed_at": whole}, pk="kind"
    )
    history = database.table("document_history").create(
        {"id": "integer", "kind": text, "json": text, "replaced_at": whole}, pk="id"
    )
    history.create_index(["kind", "id"])
    database.table("box").create(
        {"drop_url": text, "latest": "text", "last_modified": "text"}, pk="drop_url"
    )
    database.table("poll_state").create({"name": text, "value": text}, pk="name")
    _create_inbox(database)


def _create_inbox(database: Database) -> None:
    text, whole = Column("text", null=False), Column("integer", null=False)
    inbox = database.table("inbox").create(
        {
            "id": "integer",
            "receiver": text,
            "sender": text,
            "time_stamp": whole,
            "json": text,
            "received_at": whole,
            "delivered_at": "integer",
        },
        pk="id",
    )
    # The first serves what is new: both engines look up NULL in an index.
    inbox.create_index(["delivered_at", "receiver", "time_stamp", "id"])
    inbox.create_index(["receiver", "time_stamp", "id"])
    seen = database.table("seen").create(
        {"digest": text, "message": whole, "gone_at": "integer"}, pk="digest"
    )
    seen.create_index(["message"])
    seen.create_index(["gone_at"])
    database.table("acknowledgement").create(
        {"id": "integer", "sender": text, "receiver": text, "acknowledge_id": text}, pk="id"
    )


def create_turns(database: Database) -> None:
    """``turn``: who does what of all processes only one may do, and until when. The table
    ``acknowledgement`` is made anew: what is not delivered stays, and is ``due_at`` later."""
    text, whole = Column("text", null=False), Column("integer", null=False)
    database.table("turn").create({"name": text, "holder": text, "expires_at": whole}, pk="name")
    database.table("acknowledgement").drop()
    waiting = database.table("acknowledgement").create(
        {
            "id": "integer",
            "sender": text,
            "receiver": text,
            "acknowledge_id": text,
            "time_stamp": whole,
            "attempts": whole,
            "due_at": whole,
        },
        pk="id",
    )
    waiting.create_index(["due_at", "id"])


def create_vanished(database: Database) -> None:
    """Identities that were removed or got a tombstone, and ``since`` when: what they did not
    fetch is kept for a while, should they come back."""
    text, whole = Column("text", null=False), Column("integer", null=False)
    database.table("vanished").create({"receiver": text, "since": whole}, pk="receiver")


def quote_acknowledge_ids(database: Database) -> None:
    """What a sender wants back may be any text, also one with U+0000, which no database keeps as
    it is: from here on it is stored as JSON."""
    table = database.table("acknowledgement")
    for row in table.rows_where():
        table.update(row["id"], {"acknowledge_id": strict.compact(row["acknowledge_id"])})
