"""A database that keeps everything in memory, and says what was done to it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any


class MemoryDatabase:
    """As much of a database as transactions need: a list that can be rolled back."""

    engine = "sqlite"

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.closed = False

    @contextmanager
    def transaction(self) -> Any:
        before = list(self.rows)
        try:
            yield
        except BaseException:
            self.rows = before
            raise

    def close(self) -> None:
        self.closed = True
