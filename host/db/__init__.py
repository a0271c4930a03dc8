"""Databases: the engines behind ``context.db`` and ``context.data``. SQL drivers stop here."""

from host.db.engine import Engine, HostDatabase
from host.db.keyvalue import KeyValueData, read_value
from host.db.sqlite import SqliteEngine

__all__ = ["Engine", "HostDatabase", "KeyValueData", "SqliteEngine", "read_value"]
