"""What a move notes in its target, so that it can go on after a crash, and nobody starts there."""

from __future__ import annotations

from typing import Final

from host.db.engine import Engine, HostDatabase
from plugin_sdk import Conflict

__all__ = ["INTERNAL", "Marks", "refuse_half_moved", "refuse_unfinished"]

_DONE: Final = "_stagebox_move_tables"
_MOVE: Final = "_stagebox_move"
INTERNAL: Final = frozenset({_DONE, _MOVE})


def refuse_unfinished(engine: Engine) -> None:
    """Raises Conflict when a move into these databases was begun and not ended."""
    if engine.exists("host"):
        refuse_half_moved(engine.open("host"))


def refuse_half_moved(database: HostDatabase) -> None:
    """As `refuse_unfinished`, by the host's database alone."""
    if Marks(database).claimed_by() is not None:
        raise Conflict(
            "These databases are the target of an unfinished `stagebox migrate`: run it again, on "
            "the data that it came from."
        )


class Marks:
    """The marks of one target database. A table and its mark share one transaction."""

    def __init__(self, database: HostDatabase) -> None:
        self._db = database

    def begin(self, source: str) -> None:
        """Claims an empty database; goes on in one that this source's move has claimed. Raises
        Conflict for any other."""
        claim = self.claimed_by()
        if claim == source:
            return
        if claim is not None:
            raise Conflict("The target holds the unfinished move of other data: empty it first.")
        if self._db.tables() or self._db.describe():
            raise Conflict("The target holds data already: it must be empty.")
        with self._db.transaction():
            self._db.table(_MOVE).create({"source": "text", "proved": "boolean"}, pk="source")
            self._db.table(_DONE).create({"name": "text"}, pk="name")
            self._db.table(_MOVE).insert({"source": source, "proved": False})

    def claimed_by(self) -> str | None:
        """The source of an unfinished move."""
        table = self._db.table(_MOVE)
        rows = table.rows_where() if table.exists() else []
        return str(rows[0]["source"]) if rows else None

    def prove(self) -> None:
        """Everything has arrived: what is left of the move is to take the marks away."""
        self._db.execute(f"UPDATE {_MOVE} SET proved = :yes", {"yes": True})  # noqa: S608

    def is_proved(self, source: str) -> bool:
        row = self._db.table(_MOVE).get(source)
        return row is not None and bool(row["proved"])

    def is_done(self, table: str) -> bool:
        return self._db.table(_DONE).get(table) is not None

    def done(self, table: str) -> None:
        """To be called inside the transaction that fills the table."""
        self._db.table(_DONE).insert({"name": table})

    def end(self) -> None:
        """The move is complete; of databases claimed before a crash, some may have ended."""
        with self._db.transaction():
            for name in sorted(INTERNAL):
                if self._db.table(name).exists():
                    self._db.table(name).drop()
