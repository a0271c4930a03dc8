"""The PostgreSQL engine: one schema for the host, one for each plugin."""

from __future__ import annotations

import threading
from typing import Final, Literal

from host.db.engine import Engine, HostDatabase
from host.db.names import HOST
from host.db.postgresql.address import parse_address
from host.db.postgresql.database import PostgresqlDatabase
from host.db.postgresql.names import PREFIX, name_of, schema_of
from host.db.postgresql.server import Options, Server
from host.db.postgresql.signals import PostgresqlSignals
from host.db.postgresql.texts import Texts
from host.db.signals import Signals
from host.db.statements import Statements
from plugin_sdk import DatabaseUnavailable, Invalid, NotFound

__all__ = ["PostgresqlEngine"]

_EXISTS: Final = b"SELECT 1 FROM pg_namespace WHERE nspname = $1"
_NAMES: Final = (
    b"SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace "
    b"WHERE starts_with(nspname, $1)"
)
_SIZE: Final = (
    b"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    b"JOIN pg_namespace n ON n.oid = c.relnamespace "
    b"WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')"
)


class PostgresqlEngine(Engine):
    """The database ``url`` (``postgresql://user:password@host:port/name``).

    ``host`` is the schema ``stagebox_host``, a plugin ``stagebox_<id>``; what they share is in
    ``stagebox``. The user needs the right to make schemas (CREATE on the database); pg_trgm is
    used when it is there or may be made.
    With durability ``normal`` a commit does not wait for the server's disk.
    ``connections`` are open at most over all databases, ``idle`` are kept. Whoever finds none
    free for ``wait_seconds`` gets DatabaseUnavailable.
    """

    def __init__(
        self,
        url: str,
        durability: Literal["full", "normal"] = "full",
        *,
        connections: int = 20,
        idle: int = 8,
        wait_seconds: float = 4.0,
    ) -> None:
        if durability not in ("full", "normal"):
            raise Invalid(f'Durability is "full" or "normal", not {str(durability)[:40]!r}.')
        options = Options(durability, connections=connections, idle=idle, wait_seconds=wait_seconds)
        self._server = Server(parse_address(url), options)
        self._statements = Statements()
        self._texts = Texts()
        self._lock = threading.RLock()
        self._databases: dict[str, PostgresqlDatabase] = {}
        self._closed = False

    @property
    def name(self) -> Literal["postgresql"]:
        return "postgresql"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return self._server.pool.open

    def check(self) -> None:
        """Raises DatabaseUnavailable, with one sentence, when the server cannot be used."""
        self._server.check()

    def open(self, name: str, *, create: bool = True) -> HostDatabase:
        found = self._databases.get(name)
        if found is None or found.shut:
            found = self._add(name)
        if not create and not self.exists(name):
            raise NotFound(f"{name} has no database.")
        return found

    def exists(self, name: str) -> bool:
        return bool(self._server.ask(_EXISTS, schema_of(name)))

    def names(self) -> list[str]:
        found = (
            name_of(str(schema), comment) for schema, comment in self._server.ask(_NAMES, PREFIX)
        )
        return sorted(name for name in found if name is not None and name != HOST)

    def drop(self, name: str) -> None:
        schema = schema_of(name)
        with self._lock:
            database = self._databases.pop(name, None)
            if database is not None:
                database.close()
        self._server.discard(schema)

    def size(self, name: str) -> int:
        return int(self._server.ask(_SIZE, schema_of(name))[0][0])

    def signals(self) -> Signals:
        return PostgresqlSignals(self._server)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for database in self._databases.values():
                database.close()
        self._server.pool.close()

    def _add(self, name: str) -> PostgresqlDatabase:
        schema_of(name)
        with self._lock:
            if self._closed:
                raise DatabaseUnavailable("The databases are closed.")
            found = self._databases.get(name)
            if found is None or found.shut:
                found = PostgresqlDatabase(name, self._server, self._statements, self._texts)
                self._databases[name] = found
            return found
