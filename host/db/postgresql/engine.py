"""The PostgreSQL engine: one schema for the host, one for each plugin."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Literal

import psycopg

from host.db.engine import HostDatabase, ServedEngine
from host.db.names import HOST
from host.db.postgresql.address import parse_address
from host.db.postgresql.database import PostgresqlDatabase
from host.db.postgresql.names import (
    DRAFT,
    PREFIX,
    TRASH,
    draft_of,
    lock_key,
    name_of,
    schema_of,
)
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
_DRAFTS: Final = b"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)"
_SIZE: Final = (
    b"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    b"JOIN pg_namespace n ON n.oid = c.relnamespace "
    b"WHERE n.nspname = $1 AND c.relkind IN ('r', 'm')"
)


class PostgresqlEngine(ServedEngine):
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
        self._set_up(Server(parse_address(url), options))

    def _set_up(self, server: Server) -> None:
        self._server = server
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

    def at_one_time(self) -> AbstractContextManager[FrozenEngine]:
        return frozen(self._server)

    def draft(self) -> DraftEngine:
        return DraftEngine(self._server)

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
                found = self._made(name)
                self._databases[name] = found
            return found

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(name, self._server, self._statements, self._texts)


class FrozenEngine(PostgresqlEngine):
    """What others see of the databases of a server in an exported snapshot, while a thread is
    inside of a database's `snapshot`."""

    def __init__(self, server: Server, exported: str) -> None:
        self._exported = exported
        self._set_up(server)

    def close(self) -> None:
        """The server is somebody else's."""
        with self._lock:
            self._closed = True
            for database in self._databases.values():
                database.close()

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(
            name, self._server, self._statements, self._texts, exported=self._exported
        )


@contextmanager
def frozen(server: Server) -> Iterator[FrozenEngine]:
    """https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION"""
    with server.dedicated() as connection:
        try:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        except psycopg.Error as error:
            raise server.unusable(error) from error
        assert row is not None
        engine = FrozenEngine(server, str(row[0]))
        try:
            yield engine
        finally:
            engine.close()
            connection.execute("ROLLBACK")


class DraftEngine(PostgresqlEngine):
    """Databases that are made beside those of a server, and take their place together."""

    def __init__(self, server: Server) -> None:
        self._set_up(server)
        self.discard()

    def names(self) -> list[str]:
        return sorted(name for name in self._databases if name != HOST and self.exists(name))

    def exists(self, name: str) -> bool:
        return bool(self._server.ask(_EXISTS, draft_of(name)))

    def publish(self) -> Callable[[], None]:
        """Puts these databases in the place of all that there are, in one transaction. What it
        returns puts the old ones back, until `sweep` removes them. Raises DatabaseUnavailable."""
        made = [name for name in (HOST, *self.names()) if self.exists(name)]
        old = [str(row[0]) for row in self._server.ask(_NAMES, PREFIX) if name_of(*map(_text, row))]
        aside = {schema: f"{TRASH}{secrets.token_hex(8)}" for schema in old}
        there = {draft_of(name): schema_of(name) for name in made}
        self._rename([*aside.items(), *there.items()])
        back = [(new, old) for old, new in [*aside.items(), *there.items()]]
        return lambda: self._rename(back[len(aside) :] + back[: len(aside)])

    def sweep(self) -> None:
        """Removes the databases that were replaced."""
        self._server.sweep()

    def discard(self) -> None:
        """Removes what was made here and not published, also by a process that is dead."""
        for (name,) in self._server.ask(_DRAFTS, DRAFT):
            self._server.command([f'DROP SCHEMA IF EXISTS "{name}" CASCADE'])

    def close(self) -> None:
        """What was not published goes; the server is somebody else's."""
        with self._lock:
            self._closed = True
            for database in self._databases.values():
                database.close()
        self.discard()

    def _rename(self, changes: Sequence[tuple[str, str]]) -> None:
        locks = sorted({before for before, _ in changes} | {after for _, after in changes})
        statements = [
            "SET LOCAL lock_timeout = '10s'",
            *(f"SELECT pg_advisory_xact_lock({lock_key(name)})" for name in locks),
            *(f'ALTER SCHEMA "{old}" RENAME TO "{new}"' for old, new in changes),
        ]
        try:  # once: nobody could tell whether an attempt that was cut off came through
            with self._server.dedicated() as connection, connection.transaction():
                for statement in statements:
                    connection.execute(statement.encode())
        except psycopg.Error as error:
            raise self._server.unusable(error) from error

    def _made(self, name: str) -> PostgresqlDatabase:
        return PostgresqlDatabase(
            name, self._server, self._statements, self._texts, schema_name=draft_of(name)
        )


def _text(value: object) -> Any:
    return None if value is None else str(value)
