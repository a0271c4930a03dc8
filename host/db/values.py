"""Values on their way into a database: the same ones are taken and refused by both engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import contains
from typing import Any, Final

from plugin_sdk import ColumnType, Invalid, dump_json

__all__ = ["Encoder", "bind", "encoder", "fit"]

Encoder = Callable[[Any], Any]

_PLAIN: Final = frozenset((int, float, bool, bytes, type(None)))
_type: Final = type  # where a parameter has that name
_MAX_INTEGER: Final = 2**63 - 1
_NO_PARAMETERS: Final[Mapping[str, Any]] = {}


def bind(params: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Parameters of a statement, checked; the mapping itself when nothing was to be changed."""
    if params is None:
        return _NO_PARAMETERS
    for value in params.values():
        kind = type(value)
        if kind is str:
            if "\0" in value:
                raise _nul()
        elif kind not in _PLAIN or value != value:  # NaN is the value that differs from itself
            return {name: _any(value) for name, value in params.items()}
    return params


def encoder(type: ColumnType | None, table: str, column: str) -> Encoder:
    """What makes a value ready for a column of that type; it raises Invalid, naming the column."""
    convert = _any if type is None else _CONVERTERS[type]

    def encode(value: Any) -> Any:
        if value is None:
            return None
        try:
            return convert(value)
        except Invalid as error:
            raise Invalid(f"{table}.{column}: {error.message}") from None

    return encode


def fit(type: ColumnType | None, values: Sequence[Any]) -> bool:
    """Whether all are such that the `encoder` of that type gives them back as they are; a quick
    look, no last word. There is one at least."""
    kinds = set(map(_type, values))
    if type == "text":
        return kinds == {str} and not any(map(contains, values, repeat("\0")))
    if type == "integer":
        return kinds == {int} and min(values) >= -_MAX_INTEGER - 1 and max(values) <= _MAX_INTEGER
    if type == "boolean":
        return kinds == {bool}
    return type == "real" and kinds == {float} and all(value == value for value in values)


def _nul() -> Invalid:
    return Invalid("A text contains U+0000, which no database keeps.")


def _wrong(value: Any, wanted: str) -> Invalid:
    return Invalid(f"{type(value).__name__} is no {wanted}.")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "text")
    if "\0" in value:
        raise _nul()
    return value if type(value) is str else str.__str__(value)  # of an enum, the text itself


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise _wrong(value, "integer")
    if not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER:
        raise Invalid("The integer does not fit into 64 bits.")
    return int(value)


def _real(value: Any) -> float:
    if not isinstance(value, int | float):
        raise _wrong(value, "number")
    if value != value:
        raise Invalid("NaN is not a number that can be stored.")
    try:
        return float(value)
    except OverflowError:
        raise Invalid("The integer is too large for a real number.") from None


def _blob(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong(value, "blob: give bytes")
    return bytes(value)


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise _wrong(value, "boolean")


def _any(value: Any) -> Any:
    """A value for which no column type is known: it keeps its own."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list | tuple):
        return dump_json(value)
    raise Invalid(
        f"{type(value).__name__} cannot be stored: give text, a number, a boolean, bytes, None, "
        "or a JSON value (moments are integers in milliseconds, or text)."
    )


_CONVERTERS: Final[Mapping[ColumnType, Encoder]] = {
    "integer": _integer,
    "real": _real,
    "text": _text,
    "blob": _blob,
    "boolean": _boolean,
    "json": dump_json,
}
