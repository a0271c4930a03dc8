"""What both engines' databases share: the words of the SDK that are made of other words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from host.db.dialect import Dialect
from host.db.engine import HostDatabase
from host.db.migrations import migrate
from host.db.shapes import TableShape
from host.db.tables import SqlTable
from host.db.transactions import Transactions
from plugin_sdk import Migration, Row, Table
from plugin_sdk.database import Parameters

__all__ = ["SqlDatabase", "unique_names"]


class SqlDatabase(Transactions, HostDatabase):
    """A `HostDatabase` and the `TableStore` of its own tables.

    An engine supplies the abstract methods here and in `Transactions`, and the reading words.
    """

    @property
    @abstractmethod
    def dialect(self) -> Dialect: ...

    def table(self, name: str) -> Table:
        return SqlTable(self, name)

    def migrate(self, steps: Sequence[Migration]) -> list[str]:
        return migrate(self, steps)

    def after_commit(self, callback: Callable[[], object]) -> None:
        Transactions.after_commit(self, callback)

    @abstractmethod
    def shape(self, table: str) -> TableShape | None:
        """What the table looks like to this thread; None when there is none."""

    @abstractmethod
    def drop_table(self, table: str) -> None:
        """Drops a table that exists, with its search; inside of a transaction."""

    @abstractmethod
    def run(self, sql: str, values: Sequence[Any]) -> int:
        """A write with positional, checked values, inside of a transaction."""

    @abstractmethod
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """As `run`, once for each row."""

    @abstractmethod
    def run_returning(self, sql: str, values: Sequence[Any]) -> Sequence[Any]:
        """As `run`, for a statement that returns one row: its values."""

    @abstractmethod
    def read_one(self, sql: str, values: Sequence[Any]) -> Row | None:
        """The first row of a read with positional, checked values."""

    @abstractmethod
    def value(self, sql: str, params: Parameters | None = None) -> Any: ...

    @abstractmethod
    def query(self, sql: str, params: Parameters | None = None) -> list[Row]: ...


def unique_names(names: Sequence[str]) -> Sequence[str]:
    """Names of result columns for a dictionary, as sqlite-utils makes them: of two columns
    ``id`` the second is ``id_2``."""
    if len(set(names)) == len(names):
        return names
    seen: dict[str, None] = {}
    for name in names:
        chosen, number = name, 2
        while chosen in seen or (chosen != name and chosen in names):
            chosen, number = f"{name}_{number}", number + 1
        seen[chosen] = None
    return list(seen)
