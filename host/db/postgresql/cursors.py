"""Rows one by one: cursors that the server holds (DECLARE, FETCH)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, Final, Protocol

from host.db.postgresql.faults import FAULTS, translate
from host.db.postgresql.link import Link
from host.db.postgresql.wire import Call, Result
from plugin_sdk import Invalid

__all__ = ["Cursor"]

_BATCH: Final = 200
_BEGIN: Final = Call(b"BEGIN READ ONLY", once=True)
_ALONE: Final = b"stagebox_rows"
_NUMBERS: Final = count(1)  # of cursors; a name is used once


class Holder(Protocol):
    """A snapshot: its connection, and whether it is over."""

    link: Link
    over: bool


class Cursor:
    """A cursor that is open and gave its first rows; one shows the state in which it was opened."""

    def __init__(
        self,
        link: Link,
        first: Result,
        database: str,
        name: bytes = _ALONE,
        holder: Holder | None = None,
        *,
        guarded: bool = False,
    ) -> None:
        self.names = link.names(first)
        self._link = link
        self._rows = link.tuples(first)
        self._database = database
        self._name = name
        self._holder = holder
        self._guarded = guarded

    @property
    def done(self) -> bool:
        """Whether no more rows are to be fetched."""
        return len(self._rows) < _BATCH

    @classmethod
    def opening(cls, call: Call, name: bytes = _ALONE) -> list[Call]:
        """What begins a transaction with the cursor; the last result are its first rows."""
        return [_BEGIN, *_open(call, name)]

    @classmethod
    def inside(cls, holder: Holder, call: Call, database: str) -> Cursor:
        """In a snapshot. Raises FAULTS."""
        name = b"stagebox_rows_%d" % next(_NUMBERS)
        first = holder.link.guarded(_open(call, name))[-1]
        return cls(holder.link, first, database, name, holder, guarded=True)

    @classmethod
    def of_transaction(cls, link: Link, call: Call, database: str) -> Cursor:
        """In a transaction; read it to the end before the next statement. Raises FAULTS."""
        name = b"stagebox_rows_%d" % next(_NUMBERS)
        first = link.guarded(_open(call, name))[-1]
        return cls(link, first, database, name, guarded=True)

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """Closes the cursor behind the last. Raises StageboxError."""
        more = not self.done
        while self._rows:
            batch, self._rows = self._rows, []
            yield batch
            if more:
                self._rows = self._link.tuples(self._run(_next(self._name)))
                more = not self.done
        if self._guarded and not self._over:  # else its transaction ends now
            self._run(Call(b"CLOSE " + self._name, once=True))

    @property
    def _over(self) -> bool:
        return self._holder is not None and self._holder.over

    def _run(self, call: Call) -> Result:
        if self._over:
            raise Invalid("The snapshot is over, and with it what was read in it.")
        run = self._link.guarded if self._guarded else self._link.exchange
        try:
            return run([call])[0]
        except FAULTS as error:
            raise translate(error, self._database) from error


def _open(call: Call, name: bytes) -> Sequence[Call]:
    declare = b"DECLARE " + name + b" NO SCROLL CURSOR FOR " + call.sql
    return [Call(declare, call.arguments, once=True), _next(name)]


def _next(name: bytes) -> Call:
    return Call(b"FETCH %d FROM %s" % (_BATCH, name), once=True)
