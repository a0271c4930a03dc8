"""The server: connecting to it, and what all databases on it share."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import psycopg

from host.db.postgresql import folding, leftovers, search, shared
from host.db.postgresql.address import Address
from host.db.postgresql.breaker import Breaker, Open
from host.db.postgresql.faults import FAULTS, ConnectionLost, Refusal, translate
from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED, TRASH, lock_key
from host.db.postgresql.pool import Pool
from host.db.postgresql.probe import Probe, peer_of
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call, reason_of
from plugin_sdk import DatabaseUnavailable, StageboxError

__all__ = ["Options", "Server"]

_Result = TypeVar("_Result")
_LOG: Final = logging.getLogger("stagebox.db")
_OLDEST: Final = 140000
_THERE: Final = b"SELECT 1 FROM pg_namespace WHERE nspname = $1"
_SETTINGS: Final = {
    "default_transaction_read_only": "on",  # writes begin a transaction that says so
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    # A process that hangs inside of a transaction must not keep the others from writing.
    "idle_in_transaction_session_timeout": "300s",
    "idle_session_timeout": "0",  # who waits holds something: a claim, an ear
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "jit": "off",  # our statements are short: compiling them takes longer than running them
    "client_min_messages": "error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``durability``: with ``normal`` a commit does not wait for the server's disk.
    ``connections`` at most, of which ``idle`` are kept; who finds none waits ``wait_seconds``."""

    durability: Literal["full", "normal"]
    connections: int
    idle: int
    wait_seconds: float


class Server:
    """What an engine's databases have in common."""

    def __init__(self, address: Address, options: Options) -> None:
        self.address = address
        self._probe = Probe()
        self._breaker = Breaker()
        self.pool = Pool(
            self.connect,
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
        """Makes what all databases share, unless it is there, and sweeps what a process that was
        killed has left."""
        if not self._prepared:
            self._run(shared.make)
            self._prepared = True
            self.sweep()

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

    def connect(self) -> Link:
        """A connection that no pool knows, to be closed by whoever asked for it. Raises
        DatabaseUnavailable."""
        try:
            with self._breaker.attempt():
                return self._connected()
        except Open as error:
            raise DatabaseUnavailable(str(error), retry_after=1) from None

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
        try:
            self._run(leftovers.sweep)
        except DatabaseUnavailable as error:
            _LOG.info("What is left of replaced databases stays for now: %s", error)

    def lost(self, link: Link, error: ConnectionLost) -> None:
        """The connection of a link ended: those that lie idle are not to be trusted either."""
        link.close()
        self.pool.drop_idle()
        if error.silent:
            self._breaker.open(self._unreachable(str(error)).message)

    def _run(self, act: Callable[[Link], _Result]) -> _Result:
        """Calls a function that may be called twice, on some connection. Raises StageboxError."""
        try:
            return self._attempt(act)
        except ConnectionLost as error:
            if error.silent:
                raise self.failure(error) from error
        try:
            return self._attempt(act)
        except ConnectionLost as error:
            raise self.failure(error) from error

    def _attempt(self, act: Callable[[Link], _Result]) -> _Result:
        link = self.pool.take(SHARED)
        try:
            return act(link)
        except Refusal as error:
            raise self.failure(error) from error
        except ConnectionLost as error:
            self.lost(link, error)
            raise
        finally:
            self.pool.give(link)

    def _connected(self) -> Link:
        options: dict[str, Any] = dict(self.address.options)
        try:
            connection = psycopg.Connection.connect(**options, autocommit=True)
        except psycopg.Error as error:
            raise self._unreachable(reason_of(error)) from None  # it names what it was given
        try:
            return self._linked(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, (*FAULTS, psycopg.Error, OSError)):
                raise self._unreachable(reason_of(error)) from error
            raise

    def _linked(self, connection: psycopg.Connection[Any]) -> Link:
        peer = peer_of(connection.pgconn.socket)
        link = Link(connection, lambda since: self._probe.answers(peer, since))
        self._check_server(connection)
        link.exchange(self._session)
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

    def failure(self, error: BaseException) -> StageboxError:
        """The error to raise instead of one of FAULTS that came on a connection of `connect`."""
        return translate(error, self.address.shown)

    def _unreachable(self, reason: str) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"The database {self.address.shown} cannot be reached: {reason}.", retry_after=1
        )
