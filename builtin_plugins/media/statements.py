"""Lists in SQL statements: as many placeholders as there are values, in portions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

__all__ = ["chunks", "named_list"]

_CHUNK: Final = 400


def named_list(prefix: str, values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """Placeholders of an IN list, and their values."""
    names = [f"{prefix}{place}" for place in range(len(values))]
    return ", ".join(f":{name}" for name in names), dict(zip(names, values, strict=True))


def chunks(values: Sequence[Any], size: int = _CHUNK) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
