"""Everything from one engine into another, table by table, counted and compared.

The source is only read. The target is marked until all has arrived and was proved, and a move
that was cut short goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from host.db import Engine, HostDatabase, TableDescription
from host.db.marks import INTERNAL, Marks
from host.moving.tables import copy_table, fingerprint, in_order
from plugin_sdk import Conflict, Invalid, NotFound

__all__ = ["Moved", "Progress", "carry", "move"]

Progress = Callable[[str, int, int], object]
"""(what is being done, rows done, 0)"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What arrived, all of it compared."""

    databases: int
    tables: int
    rows: int


def move(source: Engine, target: Engine, identity: str, progress: Progress) -> Moved:
    """Carries the databases of the host and of all plugins over; blobs and files stay.

    ``identity`` names the source, without secrets: a move that is found unfinished in the target
    goes on if it has the same. Raises NotFound when the source holds nothing; Conflict when the
    target is not empty, or differs in the end because the source was written to; Invalid for
    what cannot be carried over."""
    if not source.exists("host"):
        raise NotFound("There is nothing to move: this host has no data yet.")
    names = ["host", *source.names()]
    _refuse_strangers(target, names)
    marks = {name: Marks(target.open(name)) for name in names}
    if marks["host"].is_proved(identity):  # only the marks were left
        return _end(target, marks)
    plans = {name: in_order(source.open(name).describe(), name) for name in names}
    for name in names:  # the host's first: it keeps everybody from starting there
        marks[name].begin(identity)
    for name, tables in plans.items():
        for table in tables:
            if not marks[name].is_done(table.name):
                _carry(source.open(name), target.open(name), table, marks[name], progress)
    for name, tables in plans.items():
        _prove(source.open(name), target.open(name), tables, progress)
    marks["host"].prove()
    return _end(target, marks)


def _end(target: Engine, marks: dict[str, Marks]) -> Moved:
    for name in reversed(marks):  # the host's last
        marks[name].end()
    held = [target.open(name) for name in marks]
    tables = [(database, table.name) for database in held for table in database.describe()]
    rows = sum(database.table(name).count_where() for database, name in tables)
    return Moved(len(marks), len(tables), rows)


def carry(source: HostDatabase, target: HostDatabase, progress: Progress) -> int:
    """One database as it is now into an empty one, and how many tables it has. Raises Invalid for
    what cannot be carried over."""
    with source.snapshot():
        tables = in_order(source.describe(), source.name)
        tables = [table for table in tables if table.name not in INTERNAL]
        for table in tables:
            with _named(source), target.transaction():
                copy_table(source, target, table, _labelled(progress, source, table))
    return len(tables)


def _labelled(
    progress: Progress, source: HostDatabase, table: TableDescription
) -> Callable[[int], object]:
    label = f"{source.name}: {table.name}"
    return lambda rows: progress(label, rows, 0)


def _refuse_strangers(target: Engine, names: list[str]) -> None:
    """A database in the target that the source does not have, or one without the host's mark."""
    present = target.names()
    if not target.exists("host") and present:
        raise Conflict(f"The target holds data of {', '.join(present[:5])}: it must be empty.")
    for name in present:
        if name not in names:
            raise Conflict(f"The target holds data of {name}: it must be empty.")


def _carry(
    source: HostDatabase,
    target: HostDatabase,
    table: TableDescription,
    marks: Marks,
    progress: Progress,
) -> None:
    with _named(source), source.snapshot(), target.transaction():
        copy_table(source, target, table, _labelled(progress, source, table))
        marks.done(table.name)


@contextmanager
def _named(source: HostDatabase) -> Iterator[None]:
    """Rows that the target does not take: of which database they are."""
    try:
        yield
    except Invalid as error:
        text = f"The database of {source.name} cannot be carried over: {error.message}"
        raise Invalid(text) from error


def _prove(
    source: HostDatabase,
    target: HostDatabase,
    tables: list[TableDescription],
    progress: Progress,
) -> None:
    arrived = {each.name: each for each in target.describe() if each.name not in INTERNAL}
    if arrived.keys() != {table.name for table in tables}:
        raise _differs(source.name, "its tables")
    for table in tables:
        progress(f"comparing {source.name}: {table.name}", 0, 0)
        there = fingerprint(target, table)
        if fingerprint(source, table) != there:
            raise _differs(source.name, f"the table {table.name}")
        wanted = table.next_number
        if wanted is not None and arrived[table.name].next_number != wanted:
            raise _differs(source.name, f"the numbers of {table.name}")


def _differs(name: str, what: str) -> Conflict:
    return Conflict(
        f"In the database of {name}, {what} differs from the source: was that written to? Empty "
        "the target and begin again."
    )
