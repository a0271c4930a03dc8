"""A storage provider that keeps all blobs in its own database."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_sdk import Column, Database, ForeignKey, Plugin, Provider, migration

from .storage import DatabaseStorage


class DatabaseStoragePlugin(Plugin):
    @migration("001-contents")
    def create_tables(self, db: Database) -> None:
        # A content is written once and never changed; replacing a blob points it to another one.
        # `expires` is set while no blob has it: it is being written, or was replaced or deleted.
        db.table("contents").create({"id": "integer", "expires": "integer"}, pk="id")
        db.table("contents").create_index(["expires"], where="expires IS NOT NULL")
        content = ForeignKey("contents", "id", on_delete="cascade")
        db.table("chunks").create(
            {
                "content": Column("integer", null=False, references=content),
                "number": "integer",
                "bytes": Column("blob", null=False),
            },
            pk=["content", "number"],
        )
        db.table("blobs").create(
            {
                "key": "text",
                "content": Column("integer", null=False, references=ForeignKey("contents", "id")),
                "size": Column("integer", null=False),
                "etag": Column("text", null=False),
                "modified": Column("real", null=False),
                "content_type": Column("text", null=False),
            },
            pk="key",
        )

    def providers(self) -> Sequence[Provider]:
        storage = DatabaseStorage(self.context.db, self.context.clock)
        return [Provider("storage", storage.name, storage)]


plugin = DatabaseStoragePlugin
