"""The SQLite engine; sqlite3 and sqlite-utils stop here."""

from host.db.sqlite.engine import SqliteEngine

__all__ = ["SqliteEngine"]
