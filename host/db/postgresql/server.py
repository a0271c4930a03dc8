"""The server: connecting to it, and what all databases on it share."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeVar

import psycopg

from host.db.postgresql import folding, search, shared
from host.db.postgresql.address import Address
from host.db.postgresql.faults import FAULTS, ConnectionLost, translate
from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED, TRASH, lock_key
from host.db.postgresql.pool import Pool
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call, reason_of
from plugin_sdk import DatabaseUnavailable, StageboxError

__all__ = ["Options", "Server"]

_Result = TypeVar("_Result")
_LOG: Final = logging.getLogger("stagebox.db")
_OLDEST: Final = 140000
_AT_ONCE: Final = Call(b"SET LOCAL lock_timeout = '1s'", once=True)
_THERE: Final = b"SELECT 1 FROM pg_namespace WHERE nspname = $1"
_TRASH: Final = b"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)"
_SETTINGS: Final = {
    "default_transaction_read_only": "on",  # writes begin a transaction that says so
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    # A process that hangs inside of a transaction must not keep the others from writing.
    "idle_in_transaction_session_timeout": "300s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "jit": "off",  # our statements are short: compiling them takes longer than running them
    "client_min_messages": "error",
}


class Options:
    """``durability``: with ``normal`` a commit does not wait for the server's disk."""

    def __init__(
        self,
        durability: Literal["full", "normal"] = "full",
        *,
        connections: int = 20,
        idle: int = 8,
        wait_seconds: float = 5.0,
    ) -> None:
        self.durability = durability
        self.connections = connections
        self.idle = idle
        self.wait_seconds = wait_seconds


class Server:
    """What an engine's databases have in common."""

    def __init__(self, address: Address, options: Options) -> None:
        self.address = address
        self.pool = Pool(
            self._connect,
            limit=options.connections,
            idle=options.idle,
            wait_seconds=options.wait_seconds,
        )
        settings = dict(_SETTINGS)
        if options.durability == "normal":
            settings["synchronous_commit"] = "off"
        self._session = [
            Call(f"SET {name} TO '{value}'".encode(), once=True) for name, value in settings.items()
        ]
        self._prepared = False
        self._searchable = False

    def check(self) -> None:
        """Raises DatabaseUnavailable, with one sentence, when the server cannot be used."""
        self.pool.give(self.pool.take(SHARED))

    def prepare(self) -> None:
        """Makes what all databases share, unless it is there."""
        if not self._prepared:
            self._run(shared.make)
            self._prepared = True

    def prepare_search(self) -> None:
        """Makes what searching needs, unless it is there."""
        if not self._searchable:
            self._run(folding.make)
            self._run(search.make_extension)
            self._searchable = True

    def ask(self, sql: bytes, value: str) -> list[tuple[Any, ...]]:
        """The rows of a question about no schema in particular."""
        call = Call(sql, arguments([value]))
        return self._run(lambda link: link.tuples(link.alone(SHARED, [call])[0]))

    def tell(self, schema: str, calls: Sequence[Call]) -> None:
        """Statements that write no row, in one transaction; perhaps twice, when the connection
        ends in between."""
        self._run(lambda link: link.alone(schema, calls))

    def dedicated(self) -> psycopg.Connection[Any]:
        """A connection that no pool knows, to be closed by whoever asked for it. Raises
        DatabaseUnavailable."""
        options: dict[str, Any] = dict(self.address.options)
        try:
            return psycopg.Connection.connect(**options, autocommit=True)
        except psycopg.Error as error:
            raise self._unreachable(reason_of(error)) from None  # it names what it was given

    def command(self, statements: Sequence[str]) -> None:
        """Statements in one transaction that writes."""
        calls = [Call(text.encode(), once=True) for text in statements]
        self._run(lambda link: link.whole(SHARED, calls))

    def discard(self, schema: str) -> None:
        """Removes a schema with all that is in it.

        It gets another name at once, under the lock of its writers, and goes for good when nobody
        reads from it any more."""
        if self.ask(_THERE, schema):
            lock = f"SELECT pg_advisory_xact_lock({lock_key(schema)})"
            rename = f"""DO $$ BEGIN
                ALTER SCHEMA "{schema}" RENAME TO "{TRASH}{secrets.token_hex(8)}";
                EXCEPTION WHEN invalid_schema_name THEN -- another process was first
            END $$"""
            calls = [Call(text.encode(), once=True) for text in (lock, rename)]
            self._run(lambda link: link.whole(SHARED, calls))
        self.sweep()

    def sweep(self) -> None:
        """Removes schemas that were replaced or discarded; one that is still read from stays for
        the next time."""
        for (name,) in self.ask(_TRASH, TRASH):
            drop = Call(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'.encode(), once=True)
            try:
                self._run(partial(Link.whole, schema=SHARED, calls=[_AT_ONCE, drop]))
            except StageboxError as error:
                _LOG.info("What is left of a dropped database stays for now: %s", error)

    def _run(self, act: Callable[[Link], _Result]) -> _Result:
        """Calls a function that may be called twice, on some connection. Raises StageboxError."""
        for attempt in (1, 2):
            link = self.pool.take(SHARED)
            try:
                return act(link)
            except FAULTS as error:
                if isinstance(error, ConnectionLost):
                    self.lost(link)
                if attempt == 2 or not isinstance(error, ConnectionLost):
                    raise translate(error, self.address.shown) from error
            finally:
                self.pool.give(link)
        raise AssertionError

    def lost(self, link: Link) -> None:
        """The connection of a link ended: those that lie idle are not to be trusted either."""
        link.close()
        self.pool.drop_idle()

    def _connect(self) -> Link:
        connection = self.dedicated()
        link = Link(connection)
        try:
            self._check_server(connection)
            link.exchange(self._session)
        except FAULTS as error:
            link.close()
            raise self._unreachable(str(error)) from error
        except BaseException:
            link.close()
            raise
        return link

    def _check_server(self, connection: psycopg.Connection[Any]) -> None:
        pgconn = connection.pgconn
        if pgconn.server_version < _OLDEST:
            version = pgconn.parameter_status(b"server_version") or b"of unknown version"
            raise DatabaseUnavailable(
                f"The database {self.address.shown} is PostgreSQL {version.decode()}; "
                f"{_OLDEST // 10000} is the oldest that can be used."
            )
        encoding = (pgconn.parameter_status(b"server_encoding") or b"").decode()
        if encoding.upper() != "UTF8":
            raise DatabaseUnavailable(
                f"The database {self.address.shown} has the encoding {encoding}: make it with "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."
            )

    def unusable(self, error: psycopg.Error) -> DatabaseUnavailable:
        return self._unreachable(reason_of(error))

    def _unreachable(self, reason: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"The database {self.address.shown} cannot be reached: {reason}.", retry_after=1
        )
