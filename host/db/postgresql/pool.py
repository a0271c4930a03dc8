"""The connections of an engine: few, shared by all its databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from host.db.postgresql.link import Link
from plugin_sdk import DatabaseUnavailable

__all__ = ["Pool"]

_RESERVE: Final = 4
"""Connections that only serve single reads: those never wait for another connection, so whoever
holds one for longer gets on."""


class Pool:
    """At most ``limit`` connections, of which ``idle`` are kept while nobody uses them.

    ``take`` prefers one that was used for the same schema last: its statements are prepared.
    """

    def __init__(
        self, connect: Callable[[], Link], *, limit: int, idle: int, wait_seconds: float
    ) -> None:
        self.open = 0
        self.shut = False
        self._connect = connect
        self._limit = limit
        self._keep = idle
        self._wait_seconds = wait_seconds
        # Reentrant: an iterator that nobody closed gives its connection back from within the
        # garbage collection, which may begin anywhere.
        self._change = threading.Condition(threading.RLock())
        self._idle: list[Link] = []
        self._long = 0

    def take(self, schema: str, *, long: bool = False) -> Link:
        """``long``: for more than a single statement; tell `give` too. Raises DatabaseUnavailable
        when all are in use for too long, and what connecting raises."""
        with self._change:
            self._wait_for_room(long)
            self._long += long
            while (link := self._pick(schema)) is not None:
                if not link.gone:
                    return link
                link.close()
                self.open -= 1
            self.open += 1
        try:
            return self._connect()
        except BaseException:
            with self._change:
                self.open -= 1
                self._long -= long
                self._change.notify_all()
            raise

    def give(self, link: Link, *, long: bool = False) -> None:
        """Takes it back; closes it when it is broken, in a transaction, or not needed."""
        usable = link.idle
        if not usable:
            link.close()
        with self._change:
            self._long -= long
            if usable and not self.shut and len(self._idle) < self._keep:
                self._idle.append(link)
                link = None  # type: ignore[assignment]
            else:
                self.open -= 1
            self._change.notify_all()
        if link is not None:
            link.close()

    def drop_idle(self) -> None:
        """Closes those that nobody uses: the server went away, and they with it."""
        with self._change:
            links, self._idle = self._idle, []
            self.open -= len(links)
            self._change.notify_all()
        for link in links:
            link.close()

    def close(self) -> None:
        """Those in use are closed when they are given back."""
        self.shut = True
        self.drop_idle()

    def _wait_for_room(self, long: bool) -> None:
        deadline = time.monotonic() + self._wait_seconds
        while not self.shut and not self._has_room(long):
            left = deadline - time.monotonic()
            if left <= 0:
                raise DatabaseUnavailable(
                    f"All {self._limit} connections to the database are in use.", retry_after=1
                )
            self._change.wait(left)
        if self.shut:
            raise DatabaseUnavailable("The databases are closed.")

    def _has_room(self, long: bool) -> bool:
        if long and self._long >= self._limit - _RESERVE:
            return False
        return bool(self._idle) or self.open < self._limit

    def _pick(self, schema: str) -> Link | None:
        for number in range(len(self._idle) - 1, -1, -1):
            if self._idle[number].schema == schema:
                return self._idle.pop(number)
        return self._idle.pop() if self._idle else None
