"""Substring search on PostgreSQL: an index of trigrams over the folded texts (pg_trgm).

Where the extension is missing and we may not make it, the rows are looked through one by one:
the same rows are found, but it takes as long as the table is large. A word of fewer than three
characters has no trigram and is looked for in that way too.
"""
# ruff: noqa: S608 (names are checked identifiers)

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any, Final

from host.db.names import quoted
from host.db.postgresql.faults import Refusal
from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED
from host.db.postgresql.shared import LOCK
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call
from host.db.search import TABLE
from host.db.shapes import TableShape
from plugin_sdk import dump_json

__all__ = ["INDEX_PREFIX", "condition", "disable", "enable", "index", "make_extension"]

_LOG: Final = logging.getLogger("stagebox.db")
INDEX_PREFIX: Final = f"{TABLE}_"
_TRIGRAM: Final = 3
_MAX_NAME: Final = 63
_FIND: Final = (
    b"SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    b"WHERE e.extname = 'pg_trgm'"
)
_MAKE: Final = f"CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {SHARED}".encode()
_REGISTER: Final = (
    f'CREATE TABLE IF NOT EXISTS {TABLE} (name text COLLATE "C" PRIMARY KEY, columns text NOT NULL)'
).encode()
_NOTE: Final = f"INSERT INTO {TABLE} (name, columns) VALUES ($1, $2)".encode()
_KNOWN: Final = f"SELECT to_regclass('{TABLE}') IS NOT NULL".encode()
_FORGET: Final = f"DELETE FROM {TABLE} WHERE name = $1".encode()


def make_extension(link: Link) -> None:
    """Makes pg_trgm, in a transaction of its own, if it can be made. Raises FAULTS."""
    if link.first(link.alone(SHARED, [Call(_FIND)])[0]) is None:
        try:
            link.whole(SHARED, [Call(LOCK.encode(), once=True), Call(_MAKE, once=True)])
        except Refusal as error:  # not installed on the server, or not allowed to our user
            _LOG.warning("Searches will be slow: pg_trgm is missing (%s).", error.text)


def enable(link: Link, shape: TableShape, columns: Sequence[str]) -> None:
    """Makes the search of a table anew; inside of a transaction. Raises FAULTS."""
    disable(link, shape.name)
    index(link, shape.name, columns)
    row = arguments([shape.name, dump_json(list(columns))])
    link.guarded([Call(_REGISTER, once=True), Call(_NOTE, row, once=True)])


def index(link: Link, table: str, columns: Sequence[str]) -> None:
    """The index alone."""
    found = link.first(link.guarded([Call(_FIND, once=True)])[0])
    if found is None:
        return
    fields = ", ".join(f'{_folded(name)} "{found[0]}".gin_trgm_ops' for name in columns)
    sql = f"CREATE INDEX {quoted(_index(table))} ON {quoted(table)} USING gin ({fields})"
    link.guarded([Call(sql.encode(), once=True)], None)


def disable(link: Link, table: str) -> None:
    """Removes the search of a table, if there is one; inside of a transaction. Raises FAULTS."""
    drop = Call(f"DROP INDEX IF EXISTS {quoted(_index(table))}".encode(), once=True)
    known = link.first(link.guarded([drop, Call(_KNOWN, once=True)])[1])
    if known is not None and known[0]:
        link.guarded([Call(_FORGET, arguments([table]), once=True)])


def condition(columns: Sequence[str], words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Conditions of WHERE for rows that contain all (folded) words, with their parameters."""
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for number, word in enumerate(words):
        name = f"stagebox_word_{number}"
        if len(word) >= _TRIGRAM:
            params[name] = f"%{_escaped(word)}%"
            each = [f"{_folded(column)} LIKE :{name}" for column in columns]
        else:
            params[name] = word
            each = [f"strpos({_folded(column)}, :{name}) > 0" for column in columns]
        conditions.append(f"({' OR '.join(each)})")
    return conditions, params


def _folded(column: str) -> str:
    return f"{SHARED}.fold({quoted(column)})"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _index(table: str) -> str:
    name = f"{INDEX_PREFIX}{table}"
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[: _MAX_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
