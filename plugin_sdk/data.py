"""Keys and JSON values: the simplest way for a plugin to keep something.

Data live in three kinds of scope: ``local`` (this installation), ``server`` (a room or server,
by its id) and ``profile`` (a person, by profile id). Whoever is signed in can read ``local`` and
``server`` data of every plugin through ``GET /api/plugin-data``: keep secrets elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Literal, Protocol

__all__ = ["MAX_VALUE_BYTES", "Data", "DataScope", "ScopeKind"]

ScopeKind = Literal["local", "server", "profile"]

MAX_VALUE_BYTES: Final = 4 * 1024 * 1024
"""The largest value, as compact JSON in UTF-8."""


class DataScope(Protocol):
    """The keys of one scope. Keys are 1 to 255 characters without control characters."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value; a fresh copy each time, so changing it changes nothing stored."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Stores a JSON value; durable when it returns, or with the transaction around it.

        Raises Invalid for what is no JSON, TooLarge beyond `MAX_VALUE_BYTES`."""
        ...

    def delete(self, key: str) -> bool:
        """False when there was nothing."""
        ...

    def keys(self, prefix: str = "") -> list[str]:
        """In the order of code points."""
        ...

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values in the order of the keys."""
        ...

    def clear(self) -> int:
        """Removes all keys of this scope; returns how many there were."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """The same transaction as ``context.db.transaction()``: reading a value, changing it and
        storing it inside loses no update of anybody."""
        ...


class Data(DataScope, Protocol):
    """``context.data``: itself the local scope, and the way to the others."""

    def scope(self, kind: ScopeKind, id: str | int = "") -> DataScope:
        """The scope of a server or a profile. Raises Invalid without an id for those two."""
        ...
