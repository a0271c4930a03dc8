"""The service ``rooms.store`` (local REST contract, 7.3)."""

from __future__ import annotations

from contextlib import AbstractContextManager

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.local.readers import Readers
from builtin_plugins.rooms.local.saving import Saving
from plugin_sdk import Conflict, NotFound, Row

__all__ = ["RoomsStore"]

_BY = "rooms"


class RoomsStore(Saving, Readers):
    """Each call is one transaction; `batch` joins many. Calls on open groups keep every rule of
    the open-group contract (12.1)."""

    def __init__(self, core: Core) -> None:
        Readers.__init__(self, core.db, core.clock)
        Saving.__init__(self, core)

    def batch(self) -> AbstractContextManager[None]:
        """All calls inside are one transaction."""
        return self._core.transaction()

    def remove_room(self, id: str) -> bool:
        """With members, bans and messages. False when there is no such room."""
        with self._core.transaction():
            return self._core.remove_room(id)

    def delete_message(self, id: str) -> None:
        """Leaves a tombstone; of an open group's message a deletion record too. Raises
        NotFound."""
        with self._core.transaction():
            row = self._message_row(id)
            if row["server_id"] is not None:
                self._core.deletions.delete(row["room_id"], [row["server_id"]], _BY)
            else:
                self._bury(id)

    def remove_message(self, id: str) -> None:
        """The row goes, with its reactions and attachments; the number of an open group's
        message is not used again, and a deletion record tells of it. Raises NotFound."""
        core = self._core
        with core.transaction():
            row = self._message_row(id)
            if row["server_id"] is not None:
                core.deletions.delete(row["room_id"], [row["server_id"]], _BY)
            for table in ("reactions", "attachments"):
                core.db.table(table).delete_where("message_id = :id", {"id": id})
            core.db.table("messages").delete(id)
            core.removed("message", id)

    def edit_message(self, id: str, content: str) -> None:
        """Sets ``editedAt``, keeps ``timestamp``. Raises NotFound, and Conflict for a message of
        an open group: its signature covers the content."""
        with self._core.transaction():
            row = self._message_row(id)
            if row["server_id"] is not None:
                raise Conflict("A message of an open group cannot be edited: it is signed.")
            self._edit(id, content)

    def _message_row(self, id: str) -> Row:
        row = self._core.db.one(
            "SELECT room_id, server_id FROM messages WHERE id = :id", {"id": id}
        )
        if row is None:
            raise NotFound(f"There is no message {id}.")
        return row
