"""Statements that name each of their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

__all__ = ["chunks", "listed"]

_CHUNK: Final = 500


def chunks(values: Sequence[Any], size: int = _CHUNK) -> Iterator[Sequence[Any]]:
    """The values in portions that a statement can name."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def listed(values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """``:v0, :v1`` and the parameters; numbers of values are rounded up by repeating the last
    one, so that there are few statements."""
    wanted = 1
    while wanted < len(values):
        wanted *= 2
    padded = [*values, *[values[-1]] * (wanted - len(values))]
    params = {f"v{number}": value for number, value in enumerate(padded)}
    return ", ".join(f":{name}" for name in params), params
