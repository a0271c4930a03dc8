"""Describing a SQLite database: what `host.db.description` promises, read from its schema."""
# ruff: noqa: S608 (names come from the schema itself)

from __future__ import annotations

import ast
import re
import sqlite3
from typing import Any, Final, Literal, cast

from host.db.ddl import JSON_RULE
from host.db.description import IndexDescription, TableDescription
from host.db.names import quoted
from host.db.search import TABLE as SEARCH
from host.db.sqlite.schema import column_type
from plugin_sdk import Column, ForeignKey, Invalid, parse_json

__all__ = ["describe", "restart_identity"]

_OWN_RULES: Final = re.compile(r"\b(CHECK|GENERATED|COLLATE)\b", re.I)
_JSON_RULE: Final = re.compile(
    rf'CONSTRAINT "{JSON_RULE}(\w+)" CHECK \("\1" IS NULL OR json_valid\("\1"\)\)'
)
_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_WHERE: Final = re.compile(r"\)\s*WHERE\s+(.*)", re.I | re.S)


def describe(connection: sqlite3.Connection, database: str) -> list[TableDescription]:
    """All tables, the host's too, but those of the search. Raises Invalid for what the words of
    the SDK could not have made: a view, a trigger, an index over an expression ..."""
    master = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    own = [row for row in master if not row[1].startswith(("sqlite_", SEARCH))]
    for kind, name, _ in own:
        if kind in ("view", "trigger"):
            raise _beyond(database, f"the {kind} {name}")
    searched = _searched(connection) if any(row[1] == SEARCH for row in master) else {}
    numbers = _numbers(connection) if any(row[1] == "sqlite_sequence" for row in master) else {}
    return [
        _Reader(connection, database, name, sql).read(searched, numbers)
        for kind, name, sql in sorted(own, key=lambda row: str(row[1]))
        if kind == "table"
    ]


def restart_identity(connection: sqlite3.Connection, table: str, number: int) -> None:
    """The table draws this number next; inside of a transaction."""
    connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number - 1))


def _searched(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(f"SELECT name, columns FROM {SEARCH}").fetchall()
    return {name: tuple(parse_json(columns)) for name, columns in rows}


def _numbers(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())


def _beyond(database: str, what: str) -> Invalid:
    return Invalid(
        f"The database of {database} has {what}, made by SQL of its own: only what the words of "
        "context.db make can be carried to another database."
    )


class _Reader:
    """Reads one table."""

    def __init__(self, connection: sqlite3.Connection, database: str, name: str, sql: str) -> None:
        self._connection = connection
        self._database = database
        self._name = name
        if _OWN_RULES.search(_TEXT.sub("", _JSON_RULE.sub("", sql))):
            raise self._beyond("a rule of its own")
        self._autoincrement = "AUTOINCREMENT" in sql.upper()

    def read(
        self, searched: dict[str, tuple[str, ...]], numbers: dict[str, int]
    ) -> TableDescription:
        info = self._pragma("table_info")
        keyed = sorted((row for row in info if row[5]), key=lambda row: int(row[5]))
        references = self._references()
        columns = {row[1]: self._column(row, references.get(row[1])) for row in info}
        unique, indexes = self._indexes()
        return TableDescription(
            self._name,
            columns,
            tuple(row[1] for row in keyed),
            tuple(sorted(unique)),
            tuple(indexes),
            numbers.get(self._name, 0) + 1 if self._autoincrement else None,
            searched.get(self._name, ()),
        )

    def _column(self, row: tuple[Any, ...], references: ForeignKey | None) -> Column:
        _, name, declared, notnull, default, pk = row
        type = column_type(declared)
        if type is None:
            raise self._beyond(f"the column {name} without a type that is known")
        value = None if default is None else self._default(name, type, default)
        return Column(type, not notnull and not pk, value, references)

    def _default(self, name: str, type: str, text: str) -> Any:
        if _TEXT.fullmatch(text):
            return text[1:-1].replace("''", "'")
        if text.upper() in ("TRUE", "FALSE"):
            return text.upper() == "TRUE"
        if text.upper() == "NULL":
            return None
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = None
        if not isinstance(value, int | float):
            raise self._beyond(f"the default {text[:40]} of {name}")
        return bool(value) if type == "boolean" else value

    def _references(self) -> dict[str, ForeignKey]:
        found: dict[str, ForeignKey] = {}
        for _, position, table, column, other, _, on_delete, *_ in self._pragma("foreign_key_list"):
            action = {"NO ACTION": "restrict"}.get(on_delete, on_delete.lower())
            if position or column in found or action not in ("cascade", "restrict", "set null"):
                raise self._beyond(f"a reference of {column} to {table}")
            target = other or self._pragma("table_info", table)[0][1]
            rule = cast("Literal['cascade', 'restrict', 'set null']", action)
            found[column] = ForeignKey(table, target, rule)
        return found

    def _indexes(self) -> tuple[list[tuple[str, ...]], list[IndexDescription]]:
        unique, indexes = [], []
        for _, name, is_unique, origin, partial in self._pragma("index_list"):
            if origin == "pk":
                continue
            keys = [row for row in self._pragma("index_xinfo", name) if row[5]]
            if any(row[2] is None for row in keys):
                raise self._beyond(f"the index {name} over an expression")
            if origin == "u":
                unique.append(tuple(row[2] for row in keys))
                continue
            columns = tuple(f"-{row[2]}" if row[3] else row[2] for row in keys)
            where = self._where(name) if partial else None
            indexes.append(IndexDescription(name, columns, bool(is_unique), where))
        return unique, sorted(indexes, key=lambda index: index.name)

    def _where(self, index: str) -> str:
        sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?"
        found = _WHERE.search(self._connection.execute(sql, (index,)).fetchone()[0])
        if found is None:
            raise self._beyond(f"the index {index}")
        return found[1]

    def _pragma(self, name: str, of: str | None = None) -> list[Any]:
        return self._connection.execute(f"PRAGMA {name}({quoted(of or self._name)})").fetchall()

    def _beyond(self, what: str) -> Invalid:
        return _beyond(self._database, f"in its table {self._name} {what}")
