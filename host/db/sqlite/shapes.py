"""The shapes of tables that a database knows, until its schema changes."""

from __future__ import annotations

from host.db.shapes import TableShape
from host.db.sqlite import schema
from host.db.sqlite.connections import Session

__all__ = ["Shapes"]


class Shapes:
    """Shapes of the committed schema, and of a transaction's own schema once it changed that.

    Another process may change the schema at any time: `check` notices at the begin of a write.
    """

    def __init__(self) -> None:
        self._committed: dict[str, TableShape] = {}
        self._version = -1
        self._own: dict[str, TableShape] | None = None

    def get(self, table: str, *, inside: bool) -> TableShape | None:
        """``inside``: asked on the thread of the transaction."""
        own = self._own
        return (own if inside and own is not None else self._committed).get(table)

    def read(self, session: Session, table: str, *, inside: bool) -> TableShape | None:
        """Looks in the database; the session is in a transaction that reads one state."""
        version = schema.schema_version(session.connection)
        shape = schema.read_shape(session.connection, table)
        if shape is not None:
            if inside and self._own is not None:
                self._own[table] = shape
            else:
                self._know(version)[table] = shape
        return shape

    def check(self, session: Session) -> None:
        """Forgets what is not so any more; in a transaction that just began."""
        if self._committed:
            self._know(schema.schema_version(session.connection))

    def changed(self, *, inside: bool) -> None:
        """The schema was changed: by this transaction, or at once."""
        if inside:
            self._own = {}
        else:
            self._know(-1)

    def undone(self) -> None:
        """Part of the transaction was rolled back."""
        if self._own is not None:
            self._own = {}

    def ended(self) -> None:
        """The transaction is over."""
        if self._own is not None:
            self._own = None
            self._know(-1)

    def _know(self, version: int) -> dict[str, TableShape]:
        if version != self._version:
            self._committed, self._version = {}, version
        return self._committed
