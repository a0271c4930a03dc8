"""What both engines' databases share: the words of the SDK that are made of other words."""
# ruff: noqa: S608 (a checked name, and the author's SQL)

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from typing import Any

from host.db.dialect import Dialect
from host.db.engine import HostDatabase
from host.db.migrations import migrate
from host.db.names import check_identifier, quoted
from host.db.search import check_searchable, searched_columns, words
from host.db.shapes import TableShape
from host.db.tables import SqlTable, page_of
from host.db.transactions import Transactions
from plugin_sdk import Invalid, Migration, Row, Table
from plugin_sdk.database import Parameters

__all__ = ["SqlDatabase", "unique_names"]


class SqlDatabase(Transactions, HostDatabase):
    """A `HostDatabase` and the `TableStore` of its own tables.

    An engine supplies the abstract methods here and in `Transactions`, and the reading words.
    """

    _snapshots: Mapping[int, object]
    """What each thread that is inside of a snapshot reads from."""

    @property
    @abstractmethod
    def dialect(self) -> Dialect: ...

    def table(self, name: str) -> Table:
        return SqlTable(self, name)

    def migrate(self, steps: Sequence[Migration]) -> list[str]:
        return migrate(self, steps)

    def after_commit(self, callback: Callable[[], object]) -> None:
        Transactions.after_commit(self, callback)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        ident = get_ident()
        if ident in self._snapshots:
            yield
        elif self._owner == ident:
            with self._frozen(ident):
                yield
        else:
            with self._pinned(ident):
                yield

    def _refuse_write_in_snapshot(self) -> None:
        if self._snapshots and get_ident() in self._snapshots:
            raise Invalid("Writing is refused inside of snapshot().")

    @abstractmethod
    def _pinned(self, ident: int) -> AbstractContextManager[None]:
        """Lets the thread read one committed state."""

    @abstractmethod
    def _frozen(self, ident: int) -> AbstractContextManager[None]:
        """As `_pinned`, inside of the thread's own transaction."""

    def enable_search(self, table: str, columns: Sequence[str]) -> None:
        check_identifier(table)
        wanted = list(columns)
        with self.transaction():
            shape = self._existing(table)
            check_searchable(shape, wanted)
            self._make_search(shape, wanted)

    def search(
        self,
        table: str,
        text: str,
        *,
        where: str | None = None,
        params: Parameters | None = None,
        order_by: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> list[Row]:
        check_identifier(table)
        columns = searched_columns(self, table)
        shape = self._existing(table)
        conditions, found = self._search_condition(shape, columns, words(text))
        if where is not None:
            conditions.append(f"({where}\n)")
        sql = f"SELECT * FROM {quoted(table)}"
        if conditions:
            sql += " WHERE " + " AND ".join(conditions)
        sql += f" ORDER BY {order_by or quoted(shape.pk[0])}"
        page, sql = page_of(sql, limit, offset, self.dialect)
        return self.query(sql, {**(params or {}), **found, **page})

    def _existing(self, table: str) -> TableShape:
        shape = self.shape(table)
        if shape is None:
            raise Invalid(f"There is no table {table}.")
        return shape

    @abstractmethod
    def _make_search(self, shape: TableShape, columns: Sequence[str]) -> None:
        """Makes a checked table's search, inside of a transaction."""

    @abstractmethod
    def _search_condition(
        self, shape: TableShape, columns: Sequence[str], wanted: Sequence[str]
    ) -> tuple[list[str], dict[str, Any]]:
        """Conditions of WHERE for rows that contain all (folded) words, with their parameters."""

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

    def insert_columns(
        self, shape: TableShape, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
    ) -> int:
        """Adds rows, given column by column and checked, inside of a transaction; how many."""
        return self.run_many(shape.insert_many(names).sql, list(zip(*columns, strict=True)))

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
