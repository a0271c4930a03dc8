"""Values between Python and PostgreSQL's wire; both in text, apart from blobs on their way in."""

from __future__ import annotations

from collections.abc import Sequence
from json import loads
from typing import Any, Final

from psycopg import DataError, adapters, pq
from psycopg.adapt import AdaptersMap, Loader, Transformer

from plugin_sdk import Invalid

__all__ = ["Arguments", "Rows", "arguments", "typed_arguments"]

# https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_UNKNOWN: Final = 0
_BOOL: Final = 16
_BYTEA: Final = 17
_INT8: Final = 20
_FLOAT8: Final = 701
_TEXT: Final = 0
_BINARY: Final = 1

Arguments = tuple[list[bytes | None], tuple[int, ...], list[int] | None]
"""Values, their types (0 = the server infers it) and formats (None = all of them text)."""


def arguments(values: Sequence[Any]) -> Arguments:
    """Checked values whose types the statement tells: those of a row, say. Blobs go in binary."""
    found: list[bytes | None] = []
    formats: list[int] | None = None
    for value in values:
        kind = type(value)
        if kind is bytes:
            formats = formats or [_TEXT] * len(values)
            formats[len(found)] = _BINARY
            found.append(value)
        else:
            found.append(_encode(value, kind))
    return found, (), formats


def typed_arguments(values: Sequence[Any]) -> Arguments:
    """Checked values of any statement: numbers, booleans and blobs bring their type along.

    The type of a text is left to the server, so that it may stand for JSON or a date too; an
    integer always has 64 bits, whatever its size.
    """
    found: list[bytes | None] = []
    types: list[int] = []
    formats: list[int] | None = None
    for value in values:
        kind = type(value)
        types.append(_OIDS.get(kind, _UNKNOWN))
        if kind is bytes:
            formats = formats or [_TEXT] * len(values)
            formats[len(found)] = _BINARY
            found.append(value)
        else:
            found.append(_encode(value, kind))
    return found, tuple(types), formats


_OIDS: Final[dict[type, int]] = {bool: _BOOL, int: _INT8, float: _FLOAT8, bytes: _BYTEA}


def _encode(value: Any, kind: type) -> bytes | None:
    if kind is str:
        try:
            encoded: bytes = value.encode()
        except UnicodeEncodeError:
            text = "A text contains a lone surrogate, which no database keeps."
            raise Invalid(text) from None
        return encoded
    if value is None:
        return None
    if kind is bool:
        return b"t" if value else b"f"
    return repr(value).encode()


class _Number(Loader):
    """``numeric``, which PostgreSQL makes of sums: an integer where it has no fraction."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        try:
            return int(text)
        except ValueError:
            return float(text)


class _Json(Loader):
    def load(self, data: Any) -> Any:
        return loads(bytes(data))


class _Context:
    """What psycopg asks for: no connection, UTF-8, and our loaders."""

    def __init__(self) -> None:
        self.connection = None
        self.adapters = AdaptersMap(adapters)
        self.adapters.register_loader("numeric", _Number)
        self.adapters.register_loader("json", _Json)
        self.adapters.register_loader("jsonb", _Json)


class Rows:
    """Makes Python rows of results; one for each connection."""

    def __init__(self) -> None:
        self._transformer = Transformer(_Context())

    def all(self, result: pq.abc.PGresult) -> list[tuple[Any, ...]]:
        """Raises Invalid for a value that Python has no word for: a date before the year 1, say,
        or JSON that is nested too deep."""
        return self._loaded(result, result.ntuples)

    def first(self, result: pq.abc.PGresult) -> tuple[Any, ...] | None:
        """As `all`, of the first row alone."""
        return self._loaded(result, 1)[0] if result.ntuples else None

    def _loaded(self, result: pq.abc.PGresult, rows: int) -> list[tuple[Any, ...]]:
        self._transformer.set_pgresult(result)
        try:
            return self._transformer.load_rows(0, rows, tuple)
        except (DataError, ValueError, RecursionError) as error:
            raise Invalid(f"A stored value cannot be read: {error}.") from error
