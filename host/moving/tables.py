"""One table from one database into another, and the proof that it arrived."""
# ruff: noqa: S608 (names come from the description of the database)

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from host.db import HostDatabase, TableDescription, make_key_value_table
from plugin_sdk import Invalid, Row

__all__ = ["Fingerprint", "copy_table", "fingerprint", "in_order"]

_BATCH: Final = 500
_KEY_VALUES: Final = "_stagebox_data"
_MODULUS: Final = 1 << 256


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How many rows, and a sum over their hashes: the same whatever the order."""

    rows: int
    total: int


def in_order(tables: Sequence[TableDescription], database: str) -> list[TableDescription]:
    """Tables behind those that they refer to. Raises Invalid for a circle of several."""
    left = {table.name: table for table in tables}
    ordered: list[TableDescription] = []
    while left:
        free = [table for table in left.values() if not _needs(table) & left.keys()]
        if not free:
            raise Invalid(
                f"In the database of {database} the tables {', '.join(sorted(left))} refer to each "
                "other in a circle: they cannot be carried over."
            )
        for table in free:
            ordered.append(left.pop(table.name))
    return ordered


def _needs(table: TableDescription) -> set[str]:
    others = {column.references.table for column in table.columns.values() if column.references}
    return others - {table.name}


def copy_table(
    source: HostDatabase,
    target: HostDatabase,
    table: TableDescription,
    progress: Callable[[int], object],
) -> None:
    """Makes the table and all that belongs to it, inside of the target's transaction. ``progress``
    is told how many rows have gone over."""
    _create(target, table)
    loops = [
        name
        for name, column in table.columns.items()
        if column.references is not None and column.references.table == table.name
    ]
    words = target.table(table.name)
    count = 0
    rows = _rows(source, table)
    while batch := list(islice(rows, _BATCH)):
        # A row may refer to one that comes later: such references are put in at the end.
        words.insert_all({**row, **dict.fromkeys(loops)} for row in batch)
        count += len(batch)
        progress(count)
    for row in _rows(source, table) if loops else ():
        changes = {name: row[name] for name in loops if row[name] is not None}
        if changes:
            key = tuple(row[name] for name in table.pk)
            words.update(key if len(key) > 1 else key[0], changes)
    for index in table.indexes:
        words.create_index(index.columns, unique=index.unique, where=index.where, name=index.name)
    if table.searched:
        target.enable_search(table.name, table.searched)
    if table.next_number is not None:
        target.restart_identity(table.name, table.next_number)


def fingerprint(database: HostDatabase, table: TableDescription) -> Fingerprint:
    """Of the rows that are there now."""
    count = total = 0
    for row in _rows(database, table):
        count += 1
        text = json.dumps([_plain(row[name]) for name in table.columns], sort_keys=True)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest())
    return Fingerprint(count, total % _MODULUS)


def _create(target: HostDatabase, table: TableDescription) -> None:
    if table.name == _KEY_VALUES:
        make_key_value_table(target)
        return
    if not table.pk:
        raise Invalid(f"The table {table.name} has no primary key.")
    pk = table.pk[0] if len(table.pk) == 1 else table.pk
    target.table(table.name).create(table.columns, pk=pk, unique=table.unique)


def _rows(database: HostDatabase, table: TableDescription) -> Iterator[Row]:
    columns = ", ".join(f'"{name}"' for name in table.columns)
    return database.iterate(f'SELECT {columns} FROM "{table.name}"')


def _plain(value: Any) -> Any:
    """A value as JSON, with its type: 1, 1.0 and true are three."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": bytes(value).hex()}
    return value
