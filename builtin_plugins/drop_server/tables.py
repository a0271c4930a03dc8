"""The tables, as the first migration makes them."""

from __future__ import annotations

from plugin_sdk import Column, Database

__all__ = ["create_tables"]


def create_tables(database: Database) -> None:
    """``posted_us`` are microseconds since the epoch, strictly increasing over all boxes: the
    last one given is kept apart, so that it outlives the messages. ``no`` counts the messages of
    one box, so that its newest N are found without counting."""
    whole = Column("integer", null=False)
    messages = database.table("drop_message").create(
        {
            "seq": "integer",
            "box": Column("text", null=False),
            "no": whole,
            "posted_us": whole,
            "body": Column("blob", null=False),
        },
        pk="seq",
    )
    messages.create_index(["box", "posted_us", "no"], unique=True)
    messages.create_index(["posted_us"])
    last = database.table("last_posted").create({"name": "text", "posted_us": whole}, pk="name")
    last.insert({"name": "any", "posted_us": 0})
