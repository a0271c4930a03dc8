"""Who writes: one thread at a time, nested by savepoints, and what waits for the commit."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import get_ident
from types import TracebackType
from typing import Final

from host.db.fair_lock import FairLock
from plugin_sdk import DatabaseUnavailable, Invalid

__all__ = ["Transactions"]

_LOG: Final = logging.getLogger("stagebox.db")
_SAVEPOINT: Final = "stagebox_{}"


class Transactions(ABC):
    """The writing side of a database. Writers of this process queue at a lock of their own before
    they reach the engine: an engine's own waiting is slower and not fair (open-group contract,
    16.3). An engine supplies how to begin, and how to run a control statement.
    """

    def __init__(self, name: str, lock_seconds: float) -> None:
        self._name = name
        self._lock_seconds = lock_seconds
        self._lock = FairLock()
        self._owner = 0  # the thread inside of a transaction
        self._depth = 0
        self._callbacks: list[Callable[[], object]] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def in_transaction(self) -> bool:
        return self._owner == get_ident()

    def transaction(self) -> AbstractContextManager[None]:
        return _Block(self)

    def single_write(self) -> AbstractContextManager[None]:
        """The transaction around a single statement: the present one, else its own."""
        return nullcontext() if self._owner == get_ident() else _Block(self)

    def after_commit(self, callback: Callable[[], object]) -> None:
        if self.in_transaction:
            self._callbacks.append(callback)
        else:
            callback()

    def enter(self) -> int:
        """Begins a transaction or savepoint; returns the mark that `leave` wants back."""
        self._refuse_write_in_snapshot()
        if self._owner == get_ident():
            self._control(f"SAVEPOINT {_SAVEPOINT.format(self._depth)}")
            self._depth += 1
            return len(self._callbacks)
        self._take_lock()
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._owner = get_ident()
        self._depth = 1
        return 0

    def leave(self, mark: int, *, failed: bool) -> None:
        """Ends what `enter` began. Raises DatabaseUnavailable when it cannot be committed."""
        if self._owner != get_ident():
            raise RuntimeError("A transaction ends on the thread on which it began.")
        if self._depth > 1:
            self._leave_savepoint(mark, failed=failed)
            return
        callbacks, self._callbacks = self._callbacks, []
        try:
            self._end(failed=failed)
        finally:
            self._depth = 0
            self._owner = 0
            self._lock.release()
        if not failed:
            for callback in callbacks:
                self._call(callback)

    def _leave_savepoint(self, mark: int, *, failed: bool) -> None:
        self._depth -= 1
        name = _SAVEPOINT.format(self._depth)
        if not failed:
            self._control(f"RELEASE SAVEPOINT {name}")
            return
        del self._callbacks[mark:]
        if self._alive():  # else the whole transaction is gone already, savepoints included
            self._control(f"ROLLBACK TO SAVEPOINT {name}")
            self._control(f"RELEASE SAVEPOINT {name}")
            self._undone()

    def _call(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except Exception:
            _LOG.exception("What was to follow a commit in the database of %s failed", self._name)

    def _take_lock(self) -> None:
        if not self._lock.acquire(self._lock_seconds):
            raise DatabaseUnavailable(
                f"The database of {self._name} is busy: another write has not ended within "
                f"{self._lock_seconds:g} s.",
                retry_after=1,
            )

    @abstractmethod
    def _refuse_write_in_snapshot(self) -> None:
        """Raises Invalid inside of `snapshot` on this thread."""

    @abstractmethod
    def _begin(self) -> None:
        """Begins a transaction as a write; the lock is held."""

    @abstractmethod
    def _control(self, sql: str) -> None:
        """Runs a savepoint statement. Raises DatabaseUnavailable when the transaction is gone."""

    @abstractmethod
    def _alive(self) -> bool:
        """Whether the engine still has the transaction open."""

    @abstractmethod
    def _undone(self) -> None:
        """Something was rolled back to a savepoint: forget what was learnt since."""

    @abstractmethod
    def _end(self, *, failed: bool) -> None:
        """Commits, or rolls back. After an error nothing of the transaction is left."""


class _Block(AbstractContextManager[None]):
    """``with database.transaction():``, for one use."""

    __slots__ = ("_mark", "_transactions")

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._mark: int | None = None

    def __enter__(self) -> None:
        if self._mark is not None:
            raise Invalid("A transaction is entered once: call transaction() again.")
        self._mark = self._transactions.enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transactions.leave(self._mark or 0, failed=kind is not None)
