"""The table words of the SDK, for either engine.

The words are those of sqlite-utils. Its own row words look the schema up in each call (measured:
``get`` eight times, ``update`` five times the bare statement), so the statements of rows are made
here, from a shape that is kept.
"""
# ruff: noqa: S608 (names are checked identifiers, fragments are the author's SQL)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, Final, Protocol

from host.db import ddl
from host.db.dialect import Dialect
from host.db.names import check_identifier, quoted
from host.db.shapes import RowStatement, TableShape
from plugin_sdk import Column, ColumnType, Invalid, Row, Table
from plugin_sdk.database import Parameters

__all__ = ["SqlTable", "TableStore"]

_BATCH: Final = 500
_LISTED: Final = 5000
"""Of rows that are all in memory already."""


class TableStore(Protocol):
    """What a database gives its tables, beside the words of the SDK.

    ``run`` and ``run_many`` return how many rows were changed. Their values are positional and
    already checked; those of ``insert_columns`` are new rows, column by column, inside of a
    transaction. ``single_write`` is the transaction around a single statement: the present
    one, else its own.
    """

    @property
    def dialect(self) -> Dialect: ...
    def transaction(self) -> AbstractContextManager[None]: ...
    def single_write(self) -> AbstractContextManager[None]: ...
    def query(self, sql: str, params: Parameters | None = None) -> list[Row]: ...
    def value(self, sql: str, params: Parameters | None = None) -> Any: ...
    def execute(self, sql: str, params: Parameters | None = None) -> int: ...
    def shape(self, table: str) -> TableShape | None: ...
    def drop_table(self, table: str) -> None: ...
    def run(self, sql: str, values: Sequence[Any]) -> int: ...
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int: ...
    def insert_columns(
        self, shape: TableShape, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
    ) -> int: ...
    def run_returning(self, sql: str, values: Sequence[Any]) -> Sequence[Any]: ...
    def read_one(self, sql: str, values: Sequence[Any]) -> Row | None: ...


class SqlTable(Table):
    """A table of a `TableStore`; see `plugin_sdk.Table` for what the words promise.

    A table that does not exist reads as empty, as in sqlite-utils, and refuses writes (Invalid).
    Values are checked against the types of the columns: Invalid.
    """

    def __init__(self, store: TableStore, name: str) -> None:
        self._store = store
        self._name = check_identifier(name)

    @property
    def name(self) -> str:
        return self._name

    def create(
        self,
        columns: Mapping[str, Column | ColumnType],
        *,
        pk: str | Sequence[str],
        unique: Sequence[Sequence[str]] = (),
        if_not_exists: bool = False,
    ) -> Table:
        store = self._store
        keys = (pk,) if isinstance(pk, str) else tuple(pk)
        if len(keys) == 1 and keys[0] not in columns:  # sqlite-utils adds such a key too
            columns = {keys[0]: "integer", **columns}
        checked = {
            name: ddl.as_column(name, column, store.dialect) for name, column in columns.items()
        }
        sql = ddl.create_table(
            store.dialect, self._name, checked, keys, unique, if_not_exists=if_not_exists
        )
        with store.transaction():
            if if_not_exists and self.exists():
                return self
            for name, column in checked.items():
                self._check_reference(name, column, checked)
            store.execute(sql)
        return self

    def create_index(
        self,
        columns: Sequence[str],
        *,
        unique: bool = False,
        where: str | None = None,
        name: str | None = None,
    ) -> Table:
        sql = ddl.create_index(self._name, columns, unique=unique, where=where, name=name)
        with self._store.transaction():
            self._shape().check(column.removeprefix("-") for column in columns)
            self._store.execute(sql)
        return self

    def add_column(self, name: str, column: Column | ColumnType) -> Table:
        store = self._store
        checked = ddl.as_column(name, column, store.dialect)
        statements = ddl.add_column(store.dialect, self._name, name, checked)
        with store.transaction():
            self._check_reference(name, checked, self._shape().columns)
            for sql in statements:
                store.execute(sql)
        return self

    def drop(self) -> None:
        with self._store.transaction():
            self._shape()
            self._store.drop_table(self._name)

    def exists(self) -> bool:
        return self._store.shape(self._name) is not None

    def insert(self, row: Mapping[str, Any]) -> Any:
        with self._store.single_write():
            shape = self._shape()
            row = _without_drawn_key(shape, row)
            statement = shape.insert(tuple(row))
            values = statement.values(row.values())
            if statement.returns_key:
                key = self._store.run_returning(statement.sql, values)
                return key[0] if len(key) == 1 else tuple(key)
            self._store.run(statement.sql, values)
            return shape.key_of(row) if shape.pk else None

    def insert_all(self, rows: Iterable[Mapping[str, Any]], *, ignore: bool = False) -> int:
        total = 0
        with self._store.transaction():
            shape = self._shape()
            drawn = (_without_drawn_key(shape, row) for row in rows)
            listed = isinstance(rows, Sequence)
            for names, batch in _batches(drawn, _LISTED if listed else _BATCH):
                if ignore:
                    total += self._run_many(shape.insert(names, ignore=True), batch)
                elif names:
                    columns = shape.insert_many(names).columns(batch)
                    total += self._store.insert_columns(shape, names, columns)
                else:
                    total += self._run_many(shape.insert_many(names), batch)
        return total

    def upsert(self, row: Mapping[str, Any]) -> Any:
        with self._store.single_write():
            shape = self._shape()
            self._upsert(shape, tuple(row), [row])
            return shape.key_of(row)

    def upsert_all(self, rows: Iterable[Mapping[str, Any]]) -> int:
        total = 0
        with self._store.transaction():
            shape = self._shape()
            for names, batch in _batches(rows):
                self._upsert(shape, names, batch)
                total += len(batch)
        return total

    def get(self, key: Any) -> Row | None:
        shape = self._store.shape(self._name)
        if shape is None:
            return None
        values = shape.key(key)
        statement = shape.get()
        return self._store.read_one(statement.sql, statement.values(values))

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
        if not self.exists():
            return []
        sql = f"SELECT {select} FROM {quoted(self._name)}{_where(where)}"
        if order_by is not None:
            sql += f" ORDER BY {order_by}"
        page, sql = page_of(sql, limit, offset, self._store.dialect)
        return self._store.query(sql, {**(params or {}), **page} if page else params)

    def count_where(self, where: str | None = None, params: Parameters | None = None) -> int:
        if not self.exists():
            return 0
        sql = f"SELECT count(*) FROM {quoted(self._name)}{_where(where)}"
        return int(self._store.value(sql, params))

    def update(self, key: Any, values: Mapping[str, Any]) -> bool:
        with self._store.single_write():
            shape = self._shape()
            keys = shape.key(key)
            if not values:
                return self.get(key) is not None
            statement = shape.update(tuple(values))
            given = statement.values([*values.values(), *keys])
            return self._store.run(statement.sql, given) > 0

    def delete(self, key: Any) -> bool:
        with self._store.single_write():
            shape = self._shape()
            keys = shape.key(key)
            statement = shape.delete()
            return self._store.run(statement.sql, statement.values(keys)) > 0

    def delete_where(self, where: str | None = None, params: Parameters | None = None) -> int:
        sql = f"DELETE FROM {quoted(self._name)}{_where(where)}"
        return self._store.execute(sql, params)

    def _shape(self) -> TableShape:
        shape = self._store.shape(self._name)
        if shape is None:
            raise Invalid(f"There is no table {self._name}.")
        return shape

    def _check_reference(self, name: str, column: Column, own: Mapping[str, Any]) -> None:
        other = column.references
        if other is None:
            return
        if other.table == self._name:
            known: Mapping[str, Any] = own
        else:
            shape = self._store.shape(other.table)
            known = {} if shape is None else shape.columns
        if other.column not in known:
            raise Invalid(
                f"{self._name}.{name} refers to {other.table}.{other.column}, which is not there."
            )

    def _run_many(self, statement: RowStatement, rows: Sequence[Mapping[str, Any]]) -> int:
        values = [statement.values(row.values()) for row in rows]
        return self._store.run_many(statement.sql, values)

    def _upsert(
        self, shape: TableShape, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        shape.need_key()
        for row in rows:
            for name in shape.pk:
                if row.get(name) is None:
                    raise Invalid(f"An upsert into {self._name} needs its primary key {name}.")
        statement = shape.upsert(names)
        if statement is not None:
            self._run_many(statement, rows)
            return
        # A column that must not be null is missing. Such a row cannot be inserted, and engines
        # see that before they see that it would have been an update.
        for row in rows:
            changes = {name: value for name, value in row.items() if name not in shape.pk}
            if not self.update(shape.key_of(row), changes):
                self.insert(row)


def page_of(
    sql: str, limit: int | None, offset: int | None, dialect: Dialect
) -> tuple[dict[str, int], str]:
    """The statement with LIMIT and OFFSET as parameters, so that one text serves all pages."""
    page: dict[str, int] = {}
    for name, number in (("limit", limit), ("offset", offset)):
        if number is None:
            continue
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise Invalid(f"{name} is a number of rows, 0 or more.")
        page[f"stagebox_{name}"] = number
    if limit is not None:
        sql += " LIMIT :stagebox_limit"
    elif offset is not None:
        sql += f" LIMIT {dialect.no_limit}"
    if offset is not None:
        sql += " OFFSET :stagebox_offset"
    return page, sql


def _where(where: str | None) -> str:
    return f" WHERE {where}" if where is not None else ""


def _without_drawn_key(shape: TableShape, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row without an identity that is None: PostgreSQL would take that for a value."""
    if shape.identity and shape.pk[0] in row and row[shape.pk[0]] is None:
        return {name: value for name, value in row.items() if name != shape.pk[0]}
    return row


def _batches(
    rows: Iterable[Mapping[str, Any]], most: int = _BATCH
) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]]]]:
    """Rows that follow one another with the same columns, so many at once at most."""
    for names, same in groupby(rows, key=tuple):
        batch: list[Mapping[str, Any]] = []
        for row in same:
            batch.append(row)
            if len(batch) == most:
                yield names, batch
                batch = []
        if batch:
            yield names, batch
