"""How a database gets connections, and others for those that were lost.

One that was lost is replaced without a word where nothing was done on it yet, unless the server
does not answer at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from host.db.postgresql.faults import FAULTS, ConnectionLost, translate
from host.db.postgresql.link import Link
from host.db.postgresql.server import Server
from host.db.postgresql.wire import PATIENCE, Call, Result
from plugin_sdk import DatabaseUnavailable, StageboxError

__all__ = ["Connections", "Fetch"]

_LOG: Final = logging.getLogger("stagebox.db")
_Result = TypeVar("_Result")
Fetch = Callable[[Link, list[Result]], _Result]
"""Makes something of results while their connection is at hand."""


class Connections:
    """Of the database ``name`` in a schema. Raises `Refusal` where that is said, and StageboxError
    for all else."""

    def __init__(self, server: Server, schema: str, name: str) -> None:
        self.shut = False
        self._server = server
        self._schema = schema
        self._name = name

    def alone(self, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        """Statements that read, outside of transactions. Raises `Refusal`."""

        def read(link: Link) -> _Result:
            return fetch(link, link.alone(self._schema, calls))

        try:
            return self._attempt(read)
        except ConnectionLost as error:
            if error.silent:
                raise translate(error, self._name) from error
        try:
            return self._attempt(read)  # reading twice is reading
        except ConnectionLost as error:
            raise translate(error, self._name) from error

    def whole(self, calls: Sequence[Call], fetch: Fetch[_Result]) -> _Result:
        """A write transaction of its own, in one round trip."""
        try:
            return self._attempt(lambda link: fetch(link, link.whole(self._schema, calls)))
        except FAULTS as error:
            raise translate(error, self._name) from error

    def begun(
        self, calls: Sequence[Call], seconds: float | None = PATIENCE
    ) -> tuple[Link, list[Result]]:
        """A connection on which these calls were run, of which the first begins a transaction; to
        be given back. Raises `Refusal`."""
        try:
            return self._begin(calls, seconds)
        except ConnectionLost as error:
            if error.silent:
                raise translate(error, self._name) from error
        try:
            return self._begin(calls, seconds)  # nothing was done on the other one
        except ConnectionLost as error:
            raise translate(error, self._name) from error

    def give(self, link: Link) -> None:
        """Takes back what `begun` gave."""
        self._server.pool.give(link, long=True)

    def end_reading(self, link: Link) -> None:
        """Ends what `begun` began, and takes it back; never raises."""
        try:
            if link.in_transaction:
                link.roll_back()
        except FAULTS as error:
            _LOG.warning("Reading from the database of %s ended badly: %s", self._name, error)
        finally:
            self.give(link)

    def failure(self, link: Link, error: BaseException) -> StageboxError:
        """The error to raise instead of one of FAULTS that came on this connection."""
        if isinstance(error, ConnectionLost):
            self._server.lost(link, error)
        return translate(error, self._name)

    def _attempt(self, act: Callable[[Link], _Result]) -> _Result:
        link = self._take(long=False)
        try:
            return act(link)
        except ConnectionLost as error:
            self._server.lost(link, error)
            raise
        finally:
            self._server.pool.give(link)

    def _begin(self, calls: Sequence[Call], seconds: float | None) -> tuple[Link, list[Result]]:
        link = self._take(long=True)
        try:
            return link, link.begin(self._schema, calls, seconds)
        except BaseException as error:
            if isinstance(error, ConnectionLost):
                self._server.lost(link, error)
            self.give(link)
            raise

    def _take(self, *, long: bool) -> Link:
        if self.shut:
            raise DatabaseUnavailable("The database is closed.")
        return self._server.pool.take(self._schema, long=long)
