"""What the rest of the host knows of databases: an engine, and the databases that it opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from host.db.description import TableDescription
from host.db.dialect import Dialect
from host.db.signals import Signals
from plugin_sdk import Database, Migration

__all__ = ["Draft", "Engine", "HostDatabase", "ServedEngine"]


class HostDatabase(Database, Protocol):
    """The SDK's `Database`, with what only the host may do.

    Tables whose name begins with ``_stagebox_`` are the host's; `tables` does not list them.
    Parameters are texts, numbers, booleans, bytes and None; a dict or list is stored as its JSON
    text. Raises Invalid for what one of the engines could not keep: U+0000 and lone surrogates in
    texts, integers beyond 64 bits, NaN. A statement that fails is undone alone: a transaction
    around it goes on.
    """

    @property
    def name(self) -> str:
        """``host``, or the id of the plugin."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How SQL that creates tables differs on its engine."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside of `transaction`."""
        ...

    def after_commit(self, callback: Callable[[], object]) -> None:
        """Calls back after the outermost commit of this thread's transaction, on this thread.

        Dropped when the transaction, or the block in which it was asked for, is rolled back.
        Called at once without a transaction. What it raises is logged: the data are committed.
        """
        ...

    def migrate(self, steps: Sequence[Migration]) -> list[str]:
        """Runs the steps that are not recorded yet, in order, and returns their names.

        A step and its record share one transaction. What a step raises comes out unchanged;
        earlier steps stay. Raises Invalid when two steps have one name.
        """
        ...

    def copy_to(self, path: Path) -> None:
        """Writes a consistent copy of the committed state into one file, replacing it atomically.

        Neither readers nor writers wait. The folder is made if need be."""
        ...

    def restore_from(self, path: Path) -> None:
        """Puts such a copy back in place of all data, in one step, also for other processes.

        Raises NotFound without the file, Invalid when it is no sound copy or this thread is in a
        transaction; the data are then unchanged."""
        ...

    def describe(self) -> list[TableDescription]:
        """All tables, the host's too, but those that keep a search. Raises Invalid for what the
        words of the SDK could not have made: a view, a trigger, a rule of its own."""
        ...

    def restart_identity(self, table: str, number: int) -> None:
        """The table draws this number next. For rows that were carried over with their keys."""
        ...

    def change_counter(self) -> int:
        """A number that is another one whenever any process has committed since; no clock."""
        ...

    def close(self) -> None:
        """Gives back what it holds; its further use raises DatabaseUnavailable."""
        ...


class Engine(Protocol):
    """Where databases live. Names are ``host`` or a plugin id; other names raise Invalid."""

    @property
    def name(self) -> Literal["sqlite", "postgresql"]: ...

    def open(self, name: str, *, create: bool = True) -> HostDatabase:
        """The database of that name: the same object each time until it is closed or dropped.

        Cheap; nothing is made before the first write, and until then it reads as empty. With
        ``create=False`` raises NotFound when there is none yet."""
        ...

    def exists(self, name: str) -> bool:
        """Whether something was ever written there."""
        ...

    def names(self) -> list[str]:
        """The ids of plugins that have a database, in order."""
        ...

    def drop(self, name: str) -> None:
        """Removes it with all data; nothing happens when there is none."""
        ...

    def size(self, name: str) -> int:
        """In bytes on disk; 0 when there is none."""
        ...

    def signals(self) -> Signals:
        """New access to what the processes on these databases tell each other; close it. Cheap
        until it is used."""
        ...

    def close(self) -> None:
        """Closes all databases."""
        ...


class Draft(Engine, Protocol):
    """Databases that are made beside others, and take their place together. Closing it removes
    what was not published."""

    def publish(self) -> Callable[[], None]:
        """Puts these in the place of all that there are, at once. What it returns puts the old
        ones back; `sweep` removes those."""
        ...

    def sweep(self) -> None: ...


class ServedEngine(Engine, Protocol):
    """An engine that is a server, whose databases are no files."""

    def at_one_time(self) -> AbstractContextManager[Engine]:
        """An engine through which the databases are read as they were at one time, all of them:
        by whoever is inside of their `snapshot`."""
        ...

    def draft(self) -> Draft: ...
