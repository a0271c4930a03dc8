"""Databases: the engines behind ``context.db`` and ``context.data``. SQL drivers stop here."""

from host.db.description import IndexDescription, TableDescription
from host.db.engine import Draft, Engine, HostDatabase, ServedEngine
from host.db.keyvalue import KeyValueData, key_values, make_key_value_table, read_value
from host.db.sqlite import SqliteEngine

__all__ = [
    "Draft",
    "Engine",
    "HostDatabase",
    "IndexDescription",
    "KeyValueData",
    "ServedEngine",
    "SqliteEngine",
    "TableDescription",
    "key_values",
    "make_key_value_table",
    "read_value",
]
