"""Many rows of a table at once: COPY, in the place of a statement for each row.

A statement of its own costs each row several times what its values cost, here and in the server
(it reads the conditions of the table's triggers anew each time, for one).
https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import contains
from typing import Any, Final

from host.db.names import quoted
from host.db.postgresql.values import typed_arguments
from host.db.postgresql.wire import Call
from host.db.shapes import TableShape
from plugin_sdk import Invalid

__all__ = ["WORTH_IT", "advance", "copy", "lines"]

WORTH_IT: Final = 50
"""From so many rows on: a copy takes four round trips."""

_ESCAPES: Final = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
_BOOLEANS: Final = {False: "f", True: "t"}
_ADVANCE: Final = (
    b"SELECT setval(numbers, $3) FROM (SELECT pg_get_serial_sequence($1, $2)::regclass AS numbers) "
    b"AS drawn WHERE $3 > coalesce(pg_sequence_last_value(numbers), 0)"
)


def copy(table: str, names: Iterable[str]) -> str:
    """The statement whose input are `lines`."""
    return f"COPY {quoted(table)} ({', '.join(map(quoted, names))}) FROM STDIN"


def advance(
    shape: TableShape, names: Sequence[str], columns: Sequence[Sequence[Any]]
) -> list[Call]:
    """Has the identity go on behind numbers that are given. Its trigger does that too, once for
    each row that it finds behind the last number: after this it finds none."""
    if not shape.identity or shape.pk[0] not in names:
        return []
    greatest = max(columns[names.index(shape.pk[0])])
    values = [quoted(shape.name), shape.pk[0], greatest]
    return [Call(_ADVANCE, typed_arguments(values))]


def lines(columns: Sequence[Sequence[Any]]) -> bytes:
    """Rows as COPY reads them, of checked values column by column. Raises Invalid for a lone
    surrogate."""
    rows = map("\t".join, zip(*map(_texts, columns), strict=True))
    try:
        return ("\n".join(rows) + "\n").encode()
    except UnicodeEncodeError:
        raise Invalid("A text contains a lone surrogate, which no database keeps.") from None


def _texts(values: Sequence[Any]) -> Iterable[str]:
    """Values of a column as they stand in a line; those of one kind, which is the rule, without a
    call for each."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return _escaped(values)
    if kinds == {bool}:
        return map(_BOOLEANS.__getitem__, values)
    if kinds <= {int, float}:
        return map(repr, values)
    return map(_text, values)


def _escaped(values: Sequence[str]) -> Sequence[str]:
    for plain, escaped in _ESCAPES:
        if any(map(contains, values, repeat(plain))):
            values = [value.replace(plain, escaped) for value in values]
    return values


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    kind = type(value)
    if kind is str:
        return _escaped([value])[0]
    if kind is bool:
        return _BOOLEANS[value]
    return rf"\\x{value.hex()}" if kind is bytes else repr(value)
