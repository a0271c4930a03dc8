"""Rows one by one: streams that hold something must give it back, also when nobody reads on."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from plugin_sdk import Invalid, Row

__all__ = ["begun", "only_reads", "rows_of", "set_aside"]

_MEMORY: Final = 1024 * 1024
_Item = TypeVar("_Item")


def begun(stream: Generator[_Item, None, None]) -> Iterator[_Item]:
    """A generator that stands at its first ``yield``, which yields nothing of use: from there on
    closing or forgetting it runs its ``finally``, which it would not before."""
    next(stream)
    return stream


def set_aside(batches: Iterable[list[Any]]) -> Iterator[list[Any]]:
    """Reads all batches now and gives them back later, whatever happened to their source.

    Up to a megabyte stays in memory, more goes to a temporary file without a name.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 (closed by _batches)
    count = 0
    try:
        for batch in batches:
            pickle.dump(batch, spool, pickle.HIGHEST_PROTOCOL)
            count += 1
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return begun(_batches(spool, count))


def rows_of(names: Sequence[str], batches: Iterator[list[tuple[Any, ...]]]) -> Iterator[Row]:
    """The rows of a stream, by the names of its columns."""
    for batch in batches:
        for row in batch:
            yield dict(zip(names, row, strict=True))


def only_reads() -> Invalid:
    """What a write is told that comes as a stream."""
    return Invalid("iterate() only reads: use query() for a write that returns rows.")


def _batches(spool: Any, count: int) -> Generator[list[Any], None, None]:
    with spool:
        yield []
        for _ in range(count):
            yield pickle.load(spool)  # noqa: S301 (written by ourselves, above)
