"""The PostgreSQL engine; psycopg stops here. Imported only when a database URL asks for it."""

from host.db.postgresql.engine import PostgresqlEngine

__all__ = ["PostgresqlEngine"]
