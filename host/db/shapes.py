"""What a table looks like, with the statements that were made for it.

A shape is read from the database and kept until its schema changes, so the statements' texts are
made once, and the engine finds them prepared.
"""
# ruff: noqa: S608 (names are checked identifiers, values are parameters)

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from host.db.dialect import Dialect
from host.db.names import quoted
from host.db.values import Encoder, encoder, fit
from host.suggestions import suggestion_suffix
from plugin_sdk import ColumnType, Invalid

__all__ = ["ColumnShape", "RowStatement", "TableShape"]

_ENOUGH: Final = 200


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """``required``: a row must bring a value. ``type`` is None for a foreign declaration."""

    name: str
    type: ColumnType | None
    required: bool


@dataclass(frozen=True, slots=True)
class RowStatement:
    """A statement that takes the values of a row, and what makes each value ready for it."""

    sql: str
    encoders: tuple[Encoder, ...]
    returns_key: bool = False
    types: tuple[ColumnType | None, ...] = ()

    def values(self, values: Iterable[Any]) -> list[Any]:
        return [encode(value) for encode, value in zip(self.encoders, values, strict=True)]

    def columns(self, rows: Iterable[Mapping[str, Any]]) -> list[Sequence[Any]]:
        """The values of many rows, column by column. There is one row at least."""
        given = zip(*(row.values() for row in rows), strict=True)
        return [
            values if fit(type, values) else list(map(encode, values))
            for type, encode, values in zip(self.types, self.encoders, given, strict=True)
        ]


@dataclass(eq=False)
class TableShape:
    """``identity``: the primary key is an integer that the database draws."""

    name: str
    columns: Mapping[str, ColumnShape]
    pk: tuple[str, ...]
    identity: bool
    dialect: Dialect
    _made: dict[tuple[str, tuple[str, ...]], RowStatement] = field(default_factory=dict)

    def insert(self, names: tuple[str, ...], *, ignore: bool = False) -> RowStatement:
        """``ignore``: a row whose key is taken is passed over, and no key comes back."""
        return self._statement("ignore" if ignore else "insert", names)

    def insert_many(self, names: tuple[str, ...]) -> RowStatement:
        """As `insert`, but no key comes back."""
        return self._statement("insert many", names)

    def upsert(self, names: tuple[str, ...]) -> RowStatement | None:
        """None when a row of these columns could not be inserted, only updated."""
        given = set(names)
        if any(column.required and column.name not in given for column in self.columns.values()):
            return None
        return self._statement("upsert", names)

    def update(self, names: tuple[str, ...]) -> RowStatement:
        """Takes the values of the columns, then those of the primary key."""
        return self._statement("update", names)

    def get(self) -> RowStatement:
        return self._statement("get", ())

    def delete(self) -> RowStatement:
        return self._statement("delete", ())

    def key(self, key: Any) -> Sequence[Any]:
        """The values of a primary key, as given to `Table.get`. Raises Invalid."""
        self.need_key()
        values = key if isinstance(key, tuple | list) else (key,)
        if len(values) != len(self.pk):
            raise Invalid(
                f"The primary key of {self.name} is ({', '.join(self.pk)}); "
                f"{len(values)} value(s) were given."
            )
        return values

    def key_of(self, row: Mapping[str, Any]) -> Any:
        """The primary key of a row that has it, in the form that `Table.get` takes."""
        if len(self.pk) == 1:
            return row[self.pk[0]]
        return tuple(row[name] for name in self.pk)

    def need_key(self) -> None:
        if not self.pk:
            raise Invalid(f"The table {self.name} has no primary key.")

    def check(self, names: Iterable[str]) -> None:
        """Raises Invalid for a column that is not there."""
        for name in names:
            if name not in self.columns:
                hint = suggestion_suffix(str(name), self.columns)
                raise Invalid(f"The table {self.name} has no column {str(name)[:64]!r}.{hint}")

    def _statement(self, kind: str, names: tuple[str, ...]) -> RowStatement:
        found = self._made.get((kind, names))
        if found is None:
            self.check(names)
            found = self._make(kind, names)
            if len(self._made) >= _ENOUGH:
                self._made.clear()
            self._made[kind, names] = found
        return found

    def _make(self, kind: str, names: tuple[str, ...]) -> RowStatement:
        table = quoted(self.name)
        where = " AND ".join(f"{quoted(name)} = {self.dialect.placeholder}" for name in self.pk)
        if kind == "get":
            return RowStatement(f"SELECT * FROM {table} WHERE {where}", self._encoders(self.pk))
        if kind == "delete":
            return RowStatement(f"DELETE FROM {table} WHERE {where}", self._encoders(self.pk))
        if kind == "update":
            changes = ", ".join(f"{quoted(name)} = {self.dialect.placeholder}" for name in names)
            sql = f"UPDATE {table} SET {changes} WHERE {where}"
            return RowStatement(sql, self._encoders((*names, *self.pk)))
        return self._make_insert(kind, names)

    def _make_insert(self, kind: str, names: tuple[str, ...]) -> RowStatement:
        columns = ", ".join(quoted(name) for name in names)
        marks = ", ".join([self.dialect.placeholder] * len(names))
        values = f"({columns}) VALUES ({marks})" if names else "DEFAULT VALUES"
        sql = f"INSERT INTO {quoted(self.name)} {values}"
        keys = ", ".join(quoted(name) for name in self.pk)
        returns_key = kind == "insert" and any(name not in names for name in self.pk)
        if returns_key:
            sql += f" RETURNING {keys}"
        elif kind == "ignore":
            sql += " ON CONFLICT DO NOTHING"
        elif kind == "upsert":
            others = [quoted(name) for name in names if name not in self.pk]
            changes = ", ".join(f"{name} = excluded.{name}" for name in others)
            sql += f" ON CONFLICT ({keys}) DO " + (f"UPDATE SET {changes}" if others else "NOTHING")
        types = tuple(self.columns[name].type for name in names)
        return RowStatement(sql, self._encoders(names), returns_key, types)

    def _encoders(self, names: Iterable[str]) -> tuple[Encoder, ...]:
        return tuple(encoder(self.columns[name].type, self.name, name) for name in names)
