"""Counts that take time at many files, made once for each state of the library."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from builtin_plugins.media.notes import Notes
from plugin_sdk import Database

__all__ = ["Tally"]

_STATE: Final = "shelf_state"
_T = TypeVar("_T")


class Tally:
    """Whoever changes what is counted says so in the same transaction; any process that counted
    before sees that, and counts again when it is asked."""

    def __init__(self, database: Database) -> None:
        self._notes = Notes(database)
        self._lock = threading.Lock()
        self._state: str | None = None
        self._known: dict[Hashable, Any] = {}

    def touch(self) -> None:
        """Inside the transaction of a change. States have names that never come back, whatever
        is restored from a backup."""
        self._notes.set(_STATE, secrets.token_hex(16))

    def get(self, what: Hashable, count: Callable[[], _T]) -> _T:
        """What ``count`` returned since the last change. It is read after the state's name, so
        what is kept under a name is at least as new."""
        state = self._notes.get(_STATE)
        with self._lock:
            if state != self._state:
                self._state, self._known = state, {}
            known = self._known
            if what in known:
                found: _T = known[what]
                return found
        found = count()
        with self._lock:
            known[what] = found
        return found
