"""Statements that make tables, columns and indexes, for either engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from host.db.dialect import Dialect
from host.db.names import check_identifier, quoted
from host.db.values import encoder
from plugin_sdk import Column, ColumnType, Invalid, parse_json

__all__ = ["JSON_RULE", "add_column", "as_column", "create_index", "create_table"]

JSON_RULE: Final = "stagebox_json_"
"""Begins the name of the rule that a json column holds JSON text."""

_MAX_NAME: Final = 63
_ACTIONS: Final = {"cascade": "CASCADE", "restrict": "RESTRICT", "set null": "SET NULL"}


def as_column(name: str, column: Column | ColumnType, dialect: Dialect) -> Column:
    """The column itself, checked as far as it can be without the database. Raises Invalid."""
    check_identifier(name, "column")
    found = column if isinstance(column, Column) else Column(column)
    if found.type not in dialect.types:
        known = ", ".join(dialect.types)
        raise Invalid(f"{str(found.type)[:64]!r} is no type of a column: take one of {known}.")
    if found.references is not None:
        check_identifier(found.references.table)
        check_identifier(found.references.column, "column")
        if found.references.on_delete not in _ACTIONS:
            raise Invalid(f"{name}: on_delete is one of {', '.join(_ACTIONS)}.")
    return found


def create_table(
    dialect: Dialect,
    table: str,
    columns: Mapping[str, Column],
    pk: Sequence[str],
    unique: Sequence[Sequence[str]],
    *,
    if_not_exists: bool,
) -> str:
    """CREATE TABLE of checked columns; ``pk`` and ``unique`` name some of them, else Invalid."""
    for names in (pk, *unique):
        _check_known(table, names, columns)
    identity = len(pk) == 1 and columns[pk[0]].type == "integer"
    lines = []
    for name, column in columns.items():
        if identity and name == pk[0]:
            lines.append(f"{quoted(name)} {dialect.identity}")
        else:
            lines.append(_definition(dialect, table, name, column, key=name in pk))
    if not identity:
        lines.append(f"PRIMARY KEY ({_list(pk)})")
    lines.extend(f"UNIQUE ({_list(names)})" for names in unique)
    condition = "IF NOT EXISTS " if if_not_exists else ""
    return f"CREATE TABLE {condition}{quoted(table)} (\n  " + ",\n  ".join(lines) + "\n)"


def add_column(dialect: Dialect, table: str, name: str, column: Column) -> list[str]:
    """The statements that add a column; unique by an index, which both engines take."""
    if not column.null and column.default is None:
        raise Invalid(f"{table}.{name}: rows at hand need a default when the column has no null.")
    plain = Column(column.type, column.null, column.default, column.references)
    definition = _definition(dialect, table, name, plain, key=False)
    statements = [f"ALTER TABLE {quoted(table)} ADD COLUMN {definition}"]
    if column.unique:
        statements.append(create_index(table, [name], unique=True, where=None, name=None))
    return statements


def create_index(
    table: str, columns: Sequence[str], *, unique: bool, where: str | None, name: str | None
) -> str:
    """CREATE INDEX; a column ``-x`` is descending. ``where`` is SQL of the plugin's author."""
    if not columns:
        raise Invalid(f"An index of {table} needs a column.")
    plain = [check_identifier(column.removeprefix("-"), "column") for column in columns]
    parts = [
        quoted(column) + (" DESC" if given.startswith("-") else "")
        for column, given in zip(plain, columns, strict=True)
    ]
    chosen = _index_name(table, plain) if name is None else check_identifier(name, "index")
    sql = f"CREATE {'UNIQUE ' if unique else ''}INDEX {quoted(chosen)} ON {quoted(table)} "
    return sql + f"({', '.join(parts)})" + (f" WHERE {where}" if where is not None else "")


def _definition(dialect: Dialect, table: str, name: str, column: Column, *, key: bool) -> str:
    parts = [quoted(name), dialect.types[column.type]]
    if key or not column.null:
        parts.append("NOT NULL")
    if column.unique:
        parts.append("UNIQUE")
    if column.default is not None:
        parts.append(f"DEFAULT {_literal(table, name, column)}")
    if column.type == "json" and dialect.json_check:
        check = dialect.json_check.format(quoted(name))
        parts.append(f"CONSTRAINT {quoted(JSON_RULE + name)} CHECK ({check})")
    if column.references is not None:
        other = column.references
        parts.append(f"REFERENCES {quoted(other.table)} ({quoted(other.column)})")
        parts.append(f"ON DELETE {_ACTIONS[other.on_delete]}")
    return " ".join(parts)


def _literal(table: str, name: str, column: Column) -> str:
    """The default as SQL. The one of a json column is JSON text, or a number or boolean."""
    value = column.default
    if column.type == "json":
        text = value if isinstance(value, str) else json.dumps(value)
        parse_json(text)
        return _text_literal(text)
    value = encoder(column.type, table, name)(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return _text_literal(value) if isinstance(value, str) else repr(value)


def _text_literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _index_name(table: str, columns: Sequence[str]) -> str:
    """As sqlite-utils makes it; shortened by a digest where that is too long for PostgreSQL."""
    name = "_".join(("idx", table, *columns))
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[: _MAX_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _check_known(table: str, names: Sequence[str], columns: Mapping[str, Column]) -> None:
    if not names:
        raise Invalid(f"A key of {table} needs a column.")
    for name in names:
        if name not in columns:
            raise Invalid(f"A key of {table} names {str(name)[:64]!r}, which is no column of it.")


def _list(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)
