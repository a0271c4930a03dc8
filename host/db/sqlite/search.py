"""Substring search on SQLite: an FTS5 table of trigrams beside the searched table.

Triggers keep it up to date, so it follows whatever SQL changes the table. They call no function
of ours: other tools can write to the file too. The trigram tokenizer folds case as
`host.db.search.fold` does, for all letters that Unicode knew up to version 7. A word of fewer than
three characters has no trigram: it is looked for in the rows themselves.
"""
# ruff: noqa: S608 (names are checked identifiers)

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from host.db.names import quoted
from host.db.search import TABLE
from host.db.shapes import TableShape
from host.db.sqlite.connections import FOLD
from host.db.sqlite.schema import rowid_name
from plugin_sdk import dump_json

__all__ = ["condition", "disable", "enable"]

_TRIGRAM: Final = 3
_TRIGGERS: Final = ("insert", "delete", "update")


def enable(connection: sqlite3.Connection, shape: TableShape, columns: Sequence[str]) -> None:
    """Makes the search of a table anew, over the rows at hand; inside of a transaction."""
    disable(connection, shape.name)
    fields = [f"c{number}" for number in range(len(columns))]
    index, table = quoted(_index(shape.name)), quoted(shape.name)
    connection.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5("
        f"{', '.join(fields)}, content='', columnsize=0, tokenize='trigram')"
    )
    row = rowid_name(shape)
    names = [quoted(name) for name in columns]
    into = f"INSERT INTO {index} (rowid, {', '.join(fields)})"
    connection.execute(f"{into} SELECT {row}, {', '.join(names)} FROM {table}")
    new = f"{into} VALUES (new.{row}, {', '.join(f'new.{name}' for name in names)});"
    old = (
        f"INSERT INTO {index} ({index}, rowid, {', '.join(fields)}) "
        f"VALUES ('delete', old.{row}, {', '.join(f'old.{name}' for name in names)});"
    )
    changed = ", ".join([quoted(shape.pk[0]), *names])
    bodies = {"INSERT": new, "DELETE": old, f"UPDATE OF {changed}": old + " " + new}
    for name, (event, body) in zip(_TRIGGERS, bodies.items(), strict=True):
        connection.execute(
            f"CREATE TRIGGER {quoted(_trigger(shape.name, name))} "
            f"AFTER {event} ON {table} BEGIN {body} END"
        )
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {TABLE} "
        "(name TEXT NOT NULL PRIMARY KEY, columns TEXT NOT NULL)"
    )
    connection.execute(
        f"INSERT INTO {TABLE} (name, columns) VALUES (?, ?)",
        (shape.name, dump_json(list(columns))),
    )


def disable(connection: sqlite3.Connection, table: str) -> None:
    """Removes the search of a table, if there is one; inside of a transaction."""
    for name in _TRIGGERS:
        connection.execute(f"DROP TRIGGER IF EXISTS {quoted(_trigger(table, name))}")
    connection.execute(f"DROP TABLE IF EXISTS {quoted(_index(table))}")
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (TABLE,)).fetchone()
    if known is not None:
        connection.execute(f"DELETE FROM {TABLE} WHERE name = ?", (table,))


def condition(
    shape: TableShape, columns: Sequence[str], words: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Conditions of WHERE for rows that contain all (folded) words, with their parameters."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    long = [word for word in words if len(word) >= _TRIGRAM]
    if long:
        index = quoted(_index(shape.name))
        conditions.append(
            f"{rowid_name(shape)} IN "
            f"(SELECT rowid FROM {index} WHERE {index} MATCH :stagebox_words)"
        )
        params["stagebox_words"] = " AND ".join(_phrase(word) for word in long)
    for number, word in enumerate(word for word in words if len(word) < _TRIGRAM):
        name = f"stagebox_word_{number}"
        texts = (_folded(quoted(column), word) for column in columns)
        conditions.append("(" + " OR ".join(f"instr({text}, :{name})" for text in texts) + ")")
        params[name] = word
    return conditions, params


def _folded(column: str, word: str) -> str:
    """The folded text of a column, as far as it matters to the word.

    For a word of ASCII SQLite's own functions do, ten times as fast: apart from the capitals only
    the long s and the Kelvin sign fold to ASCII.
    """
    if not word.isascii():
        return f"{FOLD}({column})"
    text = f"lower({column})"
    for letter, code in (("s", 0x17F), ("k", 0x212A)):
        if letter in word:
            text = f"replace({text}, char({code}), '{letter}')"
    return text


def _phrase(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _index(table: str) -> str:
    return f"{TABLE}_{table}"


def _trigger(table: str, event: str) -> str:
    return f"{TABLE}_{table}_{event}"
