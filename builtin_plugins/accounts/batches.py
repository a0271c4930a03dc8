"""Many ids in one statement, in portions that every engine takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final

__all__ = ["batches"]

_SIZE: Final = 500


def batches(ids: Collection[int]) -> Iterator[tuple[str, Mapping[str, int]]]:
    """``(:id0, :id1, ...)`` to stand behind IN, and its parameters."""
    rest = iter(sorted(ids))
    while portion := list(islice(rest, _SIZE)):
        params = {f"id{index}": id for index, id in enumerate(portion)}
        yield f"({', '.join(':' + name for name in params)})", params
