"""How statements reach SQLite: which connection, which lock, and what becomes of errors."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, Final, Protocol, TypeVar

from host.db.database import SqlDatabase
from host.db.shape_cache import ShapeCache
from host.db.sqlite import schema
from host.db.sqlite.connections import Connections, Options, Session
from host.db.sqlite.faults import FAULTS, is_refused_write, translate
from host.db.statements import Statements
from plugin_sdk import DatabaseUnavailable, StageboxError

__all__ = ["Budget", "Sessions"]

_LOG: Final = logging.getLogger("stagebox.db")
_LOCK_SECONDS: Final = 30.0
_Result = TypeVar("_Result")


class Budget(Protocol):
    """Who is told of open connections, so that all databases together keep few."""

    def opened(self, database: Sessions) -> None: ...
    def closed(self) -> None: ...


class Sessions(SqlDatabase):
    """One connection that writes, any number that read.

    A read takes a connection from a pile and puts it back on top, so those below stay idle and
    can be closed. Inside of this thread's transaction it is the one that writes, inside of its
    snapshot the one that the snapshot holds.
    """

    def __init__(
        self, name: str, path: Path, options: Options, statements: Statements, budget: Budget
    ) -> None:
        super().__init__(name, _LOCK_SECONDS)
        self.touched = False
        """Whether it was read since the budget last looked."""
        self._statements = statements
        self._connections = Connections(
            path, options, opened=lambda: budget.opened(self), closed=budget.closed
        )
        self._idle = self._connections.idle
        self._snapshots: dict[int, Session] = {}
        self._shapes = ShapeCache()

    def trim(self, *, writer: bool) -> None:
        """Closes readers that nobody uses, or the writer: the next use opens it again."""
        if not writer:
            self._connections.drop_idle()
        elif self._lock.acquire(0):
            try:
                self._connections.drop_writer()
            finally:
                self._lock.release()

    # Reading

    def _fetch(
        self, sql: str, params: Any, fetch: Callable[[Session, str, Any], _Result]
    ) -> _Result:
        """Runs a statement that returns rows, on a connection that reads if it only reads."""
        kind = self._statements.kind(sql)
        if kind != "read" and kind != "with":
            return self._write(sql, params, fetch)
        session = self._session()
        try:
            return fetch(session, sql, params)
        except FAULTS as error:
            fault = self._fault(error, session)
            if kind == "read" or not is_refused_write(error):
                raise fault from error
        except BaseException:
            session.reset()
            raise
        finally:
            self._release(session)
        self._statements.is_write(sql)
        return self._write(sql, params, fetch)

    def _look(self, look: Callable[[Session], _Result]) -> _Result:
        """Calls a function with the connection on which this thread reads."""
        session = self._session()
        try:
            return look(session)
        except FAULTS as error:
            raise self._fault(error, session) from error
        except BaseException:
            session.reset()
            raise
        finally:
            self._release(session)

    def _session(self) -> Session:
        ident = get_ident()
        if self._owner == ident:
            return self._live_writer()
        if self._snapshots:
            held = self._snapshots.get(ident)
            if held is not None:
                return held
        return self._reader()

    def _reader(self) -> Session:
        self.touched = True
        try:
            return self._idle.pop()
        except IndexError:
            return self._open(self._connections.open_reader)

    def _release(self, session: Session) -> None:
        home = session.home
        if home is not None:
            self._connections.put_back(session, home)

    def _open(self, opener: Callable[[], Session]) -> Session:
        try:
            return opener()
        except FAULTS as error:
            raise translate(error, self._name) from error

    def _fault(self, error: BaseException, session: Session) -> StageboxError:
        """The error to raise; makes the connection ready for the next, or bars it from that."""
        fault = translate(error, self._name)
        session.spoilt = session.spoilt or isinstance(fault, DatabaseUnavailable)
        session.reset()
        return fault

    # Snapshots

    @contextmanager
    def _pinned(self, ident: int) -> Iterator[None]:
        session = self._session()
        home, session.home = session.home, None
        try:
            self._pin(session)
            self._snapshots[ident] = session
            yield
        finally:
            self._snapshots.pop(ident, None)
            session.end_streams()
            self._unpin(session)
            session.home = home
            self._release(session)

    def _pin(self, session: Session) -> None:
        try:
            session.first("BEGIN", ())
            session.first("SELECT count(*) FROM sqlite_master", ())  # only reading keeps a state
        except FAULTS as error:
            raise self._fault(error, session) from error

    def _unpin(self, session: Session) -> None:
        try:
            if session.connection.in_transaction:
                session.first("ROLLBACK", ())
        except FAULTS as error:
            session.spoilt = True
            _LOG.warning("A snapshot of the database of %s ended badly: %s", self._name, error)

    @contextmanager
    def _frozen(self, ident: int) -> Iterator[None]:
        """Inside of a transaction its own state stands still by forbidding to write."""
        writer = self._live_writer()
        writer.first("PRAGMA query_only = ON", ())
        self._snapshots[ident] = writer
        try:
            yield
        finally:
            del self._snapshots[ident]
            writer.first("PRAGMA query_only = OFF", ())

    # Writing

    def _write(
        self, sql: str, params: Any, fetch: Callable[[Session, str, Any], _Result]
    ) -> _Result:
        """Runs a statement that may write: in this thread's transaction, or as its own."""
        self._refuse_write_in_snapshot()
        changes_schema = self._statements.kind(sql) == "schema"
        if self._owner == get_ident():
            result = self._run(self._live_writer(), sql, params, fetch)
            if changes_schema:
                self._shapes.changed()
            return result
        self._take_lock()
        try:
            result = self._run(self._open_writer(), sql, params, fetch)
            if changes_schema:
                self._shapes.forget()
            return result
        finally:
            self._rest_writer()
            self._lock.release()

    def _run(
        self,
        writer: Session,
        sql: str,
        params: Any,
        fetch: Callable[[Session, str, Any], _Result],
    ) -> _Result:
        try:
            return fetch(writer, sql, params)
        except FAULTS as error:
            raise self._fault(error, writer) from error
        except BaseException:
            writer.reset()
            raise

    def _open_writer(self) -> Session:
        return self._connections.writer or self._open(self._connections.open_writer)

    def _live_writer(self) -> Session:
        """The writer inside of its transaction.

        Some errors (a full disk, say) make SQLite roll back by itself; what came then would be
        committed one by one."""
        writer = self._connections.writer
        if writer is None or not writer.connection.in_transaction:
            raise DatabaseUnavailable(
                f"The database of {self._name} gave the transaction up after an error.",
                retry_after=1,
            )
        return writer

    def _rest_writer(self) -> None:
        """Closes the writer when it must not be used again; the lock is held."""
        writer = self._connections.writer
        if writer is not None and (writer.spoilt or self._connections.shut):
            self._connections.drop_writer()

    def _change_schema(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Calls a function that changes the schema, inside of this thread's transaction."""
        self._refuse_write_in_snapshot()
        writer = self._live_writer()
        try:
            change(writer.connection)
        except FAULTS as error:
            raise self._fault(error, writer) from error
        finally:
            self._shapes.changed()

    def _begin(self) -> None:
        writer = self._open_writer()
        try:
            writer.first("BEGIN IMMEDIATE", ())
            if not self._shapes.empty:
                self._shapes.check(schema.schema_version(writer.connection))
        except FAULTS as error:
            fault = self._fault(error, writer)
            self._connections.drop_writer()
            raise fault from error

    def _control(self, sql: str) -> None:
        self._run(self._live_writer(), sql, (), Session.first)

    def _alive(self) -> bool:
        writer = self._connections.writer
        return writer is not None and writer.connection.in_transaction

    def _undone(self) -> None:
        self._shapes.undone()

    def _end(self, *, failed: bool) -> None:
        try:
            if not failed:
                self._run(self._live_writer(), "COMMIT", (), Session.first)
        finally:
            self._shapes.ended()
            self._roll_back()
            self._rest_writer()

    def _roll_back(self) -> None:
        """Whatever is still open."""
        writer = self._connections.writer
        if writer is None or not writer.connection.in_transaction:
            return
        try:
            writer.first("ROLLBACK", ())
        except FAULTS as error:
            writer.spoilt = True
            _LOG.warning("A rollback in the database of %s failed: %s", self._name, error)
