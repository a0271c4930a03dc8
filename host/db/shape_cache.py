"""The shapes of tables that a database knows, until its schema changes."""

from __future__ import annotations

from host.db.shapes import TableShape

__all__ = ["ShapeCache"]

_NO_VERSION = -1


class ShapeCache:
    """Shapes of the committed schema, and of a transaction's own schema once it changed that.

    Each change of the schema gives it another version; another process may make one at any time,
    which `check` notices at the begin of a write.
    """

    def __init__(self) -> None:
        self._committed: dict[str, TableShape] = {}
        self._version = _NO_VERSION
        self._own: dict[str, TableShape] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is known that a `check` could find outdated."""
        return not self._committed

    def get(self, table: str, *, inside: bool) -> TableShape | None:
        """``inside``: asked on the thread of the transaction."""
        own = self._own
        return (own if inside and own is not None else self._committed).get(table)

    def keep(self, shape: TableShape, version: int) -> None:
        """A shape of that version of the committed schema."""
        self.check(version)
        self._committed[shape.name] = shape

    def keep_inside(self, shape: TableShape, version: int | None = None) -> None:
        """A shape as the transaction sees it, on its thread. ``version``: of the schema in which
        it was read, unless the begin of the transaction checked that."""
        if self._own is not None:
            self._own[shape.name] = shape
        elif version is not None:
            self.keep(shape, version)
        else:
            self._committed[shape.name] = shape

    def check(self, version: int) -> None:
        """Forgets what is not so any more."""
        if version != self._version:
            self._committed, self._version = {}, version

    def forget(self) -> None:
        """The schema was changed outside of a transaction."""
        self.check(_NO_VERSION)

    def changed(self) -> None:
        """The transaction changed the schema."""
        self._own = {}

    def undone(self) -> None:
        """Part of the transaction was rolled back."""
        if self._own is not None:
            self._own = {}

    def ended(self) -> None:
        """The transaction is over."""
        if self._own is not None:
            self._own = None
            self.forget()
