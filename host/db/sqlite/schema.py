"""The schema of a SQLite database, read with sqlite-utils."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlite_utils import Database as SqliteUtils

from host.db.dialect import Dialect
from host.db.names import INTERNAL_PREFIX, quoted
from host.db.shapes import ColumnShape, TableShape
from plugin_sdk import ColumnType, Invalid

__all__ = [
    "DIALECT",
    "column_type",
    "drop_table",
    "read_shape",
    "rowid_name",
    "schema_version",
    "table_names",
]

DIALECT: Final = Dialect(
    types={
        "integer": "INTEGER",
        "real": "REAL",
        "text": "TEXT",
        "blob": "BLOB",
        "boolean": "BOOLEAN",
        # "JSON" alone would have numeric affinity (https://sqlite.org/datatype3.html, 3.1) and
        # turn the text 1.0 into the integer 1.
        "json": "JSON TEXT",
    },
    identity="INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
    placeholder="?",
    key_value_suffix=" WITHOUT ROWID",
    no_limit="-1",
    json_check="{0} IS NULL OR json_valid({0})",
)

# Words that a declared type contains, in the order of SQLite's own rules of affinity.
_TYPES: Final[tuple[tuple[str, ColumnType], ...]] = (
    ("BOOL", "boolean"),
    ("JSON", "json"),
    ("INT", "integer"),
    ("CHAR", "text"),
    ("TEXT", "text"),
    ("BLOB", "blob"),
    ("REAL", "real"),
    ("DOUB", "real"),
    ("FLOA", "real"),
)


def read_shape(connection: sqlite3.Connection, table: str) -> TableShape | None:
    """The shape of a table or view; None when there is none."""
    found = _words(connection)[table]
    if not found.exists():
        return None
    columns = found.columns
    keyed = sorted((column for column in columns if column.is_pk), key=lambda c: c.is_pk)
    identity = len(keyed) == 1 and keyed[0].type.upper() == "INTEGER"
    shapes = {
        column.name: ColumnShape(
            column.name,
            column_type(column.type),
            bool(column.notnull)
            and column.default_value is None
            and not (identity and column.is_pk),
        )
        for column in columns
    }
    return TableShape(table, shapes, tuple(c.name for c in keyed), identity, DIALECT)


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Names of the plugin's own tables."""
    names = _words(connection).table_names()
    return sorted(n for n in names if not n.startswith((INTERNAL_PREFIX, "sqlite_")))


def drop_table(connection: sqlite3.Connection, table: str) -> None:
    """Raises Invalid while another table refers to it: SQLite would leave that behind unusable."""
    words = _words(connection)
    for other in words.table_names():
        if other != table and any(k.other_table == table for k in words.table(other).foreign_keys):
            raise Invalid(f"The table {table} cannot be dropped: {other} refers to it.")
    words.table(table).drop()


def schema_version(connection: sqlite3.Connection) -> int:
    """Another number after each change of the schema, by whichever process."""
    return int(connection.execute("PRAGMA schema_version").fetchone()[0])


def rowid_name(shape: TableShape) -> str:
    """What the row's number is called where no column hides it."""
    if shape.identity:
        return quoted(shape.pk[0])
    return next(name for name in ("rowid", "_rowid_", "oid") if name not in shape.columns)


def _words(connection: sqlite3.Connection) -> SqliteUtils:
    # Neither its plugins, which could change our connections, nor its own settings of them.
    return SqliteUtils(connection, recursive_triggers=False, execute_plugins=False)


def column_type(declared: str) -> ColumnType | None:
    """What was declared, as a type of the SDK; None for a foreign declaration."""
    upper = declared.upper()
    return next((type for word, type in _TYPES if word in upper), None)
