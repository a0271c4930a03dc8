"""The relational database of a plugin (capability ``db``): one small protocol over two engines.

Write SQL that SQLite and PostgreSQL both take, with ``:named`` parameters. Rows come back as
dictionaries. Differences between the engines (types, identity columns, search) are behind
`Table.create`, `Database.enable_search` and `Database.search`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

__all__ = [
    "Column",
    "ColumnType",
    "Database",
    "ForeignKey",
    "Migration",
    "Parameters",
    "Row",
    "Table",
    "migration",
    "migration_name",
]

_MARK = "__stagebox_migration__"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])

Row = dict[str, Any]
Parameters = Mapping[str, Any]
ColumnType = Literal["integer", "real", "text", "blob", "boolean", "json"]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to a column of another table; deleting the other row may cascade."""

    table: str
    column: str
    on_delete: Literal["cascade", "restrict", "set null"] = "restrict"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``integer`` has 64 bits, ``boolean`` is read as bool, ``json`` as its value.

    ``default`` is a constant. Texts are ordered and compared by code point on both engines.
    """

    type: ColumnType
    null: bool = True
    default: int | float | str | bool | None = None
    references: ForeignKey | None = None
    unique: bool = False


class Table(Protocol):
    """A table, in the words of sqlite-utils. Names must be identifiers; raises Invalid."""

    @property
    def name(self) -> str: ...

    def create(
        self,
        columns: Mapping[str, Column | ColumnType],
        *,
        pk: str | Sequence[str],
        unique: Sequence[Sequence[str]] = (),
        if_not_exists: bool = False,
    ) -> Table:
        """Creates the table. A single primary key of type ``integer`` is an identity: it is
        drawn by the database when a row has none, and a number is never used again."""
        ...

    def create_index(
        self,
        columns: Sequence[str],
        *,
        unique: bool = False,
        where: str | None = None,
        name: str | None = None,
    ) -> Table:
        """An index, partial with ``where``. A column ``"-created_at"`` is descending. The name
        is made from table and columns unless given."""
        ...

    def add_column(self, name: str, column: Column | ColumnType) -> Table:
        """Rows that are there get its default, or NULL. Raises Invalid without such a table."""
        ...

    def drop(self) -> None:
        """With its rows, indexes and search. Raises Invalid when there is no such table."""
        ...

    def exists(self) -> bool:
        """As this thread sees it: inside of a transaction also what that made."""
        ...

    def insert(self, row: Mapping[str, Any]) -> Any:
        """Inserts and returns the primary key (a tuple for several columns). Raises Conflict
        when a unique key is taken."""
        ...

    def insert_all(self, rows: Iterable[Mapping[str, Any]], *, ignore: bool = False) -> int:
        """Inserts in batches; ``ignore`` passes over rows whose key is taken. Returns how many
        rows were inserted."""
        ...

    def upsert(self, row: Mapping[str, Any]) -> Any:
        """Inserts, or updates the given columns of the row with that primary key; returns it."""
        ...

    def upsert_all(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """As `upsert`, in batches and all or none; returns how many rows were given."""
        ...

    def get(self, key: Any) -> Row | None:
        """The row with that primary key (a tuple for several columns)."""
        ...

    def rows_where(
        self,
        where: str | None = None,
        params: Parameters | None = None,
        *,
        order_by: str | None = None,
        select: str = "*",
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Row]:
        """The rows for which ``where`` (SQL with ``:named`` parameters) holds, all of them
        without. ``order_by`` and ``select`` are SQL of yours, never of a client."""
        ...

    def count_where(self, where: str | None = None, params: Parameters | None = None) -> int:
        """How many rows `rows_where` would give; it looks at each of them."""
        ...

    def update(self, key: Any, values: Mapping[str, Any]) -> bool:
        """False when there is no such row."""
        ...

    def delete(self, key: Any) -> bool:
        """False when there was no such row."""
        ...

    def delete_where(self, where: str | None = None, params: Parameters | None = None) -> int:
        """How many rows were deleted; all of them without ``where``."""
        ...


class Database(Protocol):
    """``context.db``.

    Reading never waits for a writer. A single write outside of `transaction` is a transaction of
    its own; it is durable when the call returns. A statement that fails is undone alone, and a
    transaction around it goes on. Raises Conflict when a constraint is violated, Invalid for SQL
    that the engine refuses and for values that one of the engines could not keep (U+0000, lone
    surrogates, integers beyond 64 bits, NaN), DatabaseUnavailable when the engine does not answer.

    Names of tables and columns are lower case, at most 63 characters. A table that does not exist
    reads as empty. ``BEGIN``, ``PRAGMA`` and the like are refused: `transaction` is the way.
    """

    @property
    def engine(self) -> Literal["sqlite", "postgresql"]: ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: one writer per plugin at a time, begun as a write.

        Nests by savepoints: an inner block that raises is undone alone. Inside, reads see what
        was written. Do not wait for the outside world in here.
        """
        ...

    def query(self, sql: str, params: Parameters | None = None) -> list[Row]:
        """All rows of a statement, each a dictionary by column; also of a write with RETURNING."""
        ...

    def iterate(self, sql: str, params: Parameters | None = None) -> Iterator[Row]:
        """As `query`, row by row from one consistent state, in constant memory; close it (or
        run it to its end) soon."""
        ...

    def one(self, sql: str, params: Parameters | None = None) -> Row | None:
        """The first row."""
        ...

    def value(self, sql: str, params: Parameters | None = None) -> Any:
        """The first column of the first row, or None."""
        ...

    def values(self, sql: str, params: Parameters | None = None) -> list[Any]:
        """The first column of all rows, without a dictionary for each."""
        ...

    def execute(self, sql: str, params: Parameters | None = None) -> int:
        """Runs one statement; returns the number of rows that it changed."""
        ...

    def executemany(self, sql: str, params: Iterable[Parameters]) -> int:
        """A statement for each set of parameters, all or none; returns how many rows changed."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside, all reads of this thread see one state of the data. Writing is refused."""
        ...

    def table(self, name: str) -> Table:
        """The words for one table, whether it exists or not."""
        ...

    def tables(self) -> list[str]:
        """Names of the plugin's own tables."""
        ...

    def enable_search(self, table: str, columns: Sequence[str]) -> None:
        """Keeps a substring search over these text columns, from now on and for the rows at
        hand. Call it in a migration. The table needs a single primary key."""
        ...

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
        """Rows of the table in which every word of ``text`` occurs in one of the columns,
        whatever its case; ``where`` and ``order_by`` name the table's columns."""
        ...


@dataclass(frozen=True, slots=True)
class Migration:
    """A named step from one shape of the data to the next, forward only.

    The host runs each step once, in order, in one transaction with the record that it ran.
    """

    name: str
    apply: Callable[[Database], object]


def migration(name: str) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, db: Database)`` as a migration; they run in order of definition."""

    def mark(handler: _Handler) -> _Handler:
        setattr(handler, _MARK, name)
        return handler

    return mark


def migration_name(handler: Callable[..., Any]) -> str | None:
    """What `migration` noted on a function."""
    name: str | None = getattr(handler, _MARK, None)
    return name
