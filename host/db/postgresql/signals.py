"""Signals between processes on one PostgreSQL database: LISTEN and NOTIFY.

https://www.postgresql.org/docs/current/sql-notify.html: notifications arrive in the order of the
commits, those of one transaction together, and a payload has fewer than 8,000 bytes. A longer text
goes in pieces, in one transaction: so nothing has to be kept in a table and cleaned up, and a
listener needs no question to get it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg

from host.db.postgresql.faults import FAULTS
from host.db.postgresql.link import Link
from host.db.postgresql.names import SHARED
from host.db.postgresql.server import Server
from host.db.postgresql.values import arguments
from host.db.postgresql.wire import Call, reason_of
from host.db.signals import Signals
from plugin_sdk import DatabaseUnavailable

__all__ = ["CHANNEL", "PostgresqlSignals"]

CHANNEL: Final = "stagebox_signals"
_PIECE: Final = 7900
_SEND: Final = f"SELECT pg_notify('{CHANNEL}', $1)".encode()
_LISTEN: Final = Call(f"LISTEN {CHANNEL}".encode(), once=True)
_ASK: Final = Call(b"SELECT 1", once=True)
_AT_ONCE: Final = 64
"""Notifications in one transaction, unless one text alone needs more."""
_QUIET_SECONDS: Final = 30.0
"""After so long without a word the listener asks whether the server is still there."""


class PostgresqlSignals(Signals):
    """A connection of its own listens; sending takes one of the engine's for a moment."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._link: Link | None = None
        self._pieces: dict[int, _Parcel] = {}
        self._heard_at = 0.0
        self._woken = False
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._closed = False

    def send(self, texts: Sequence[str]) -> None:
        group: list[Call] = []
        for number, text in enumerate(texts):
            pieces = [Call(_SEND, arguments([payload])) for payload in _payloads(number, text)]
            if group and len(group) + len(pieces) > _AT_ONCE:
                self._server.tell(SHARED, group)
                group = []
            group.extend(pieces)
        if group:
            self._server.tell(SHARED, group)

    def receive(self, seconds: float) -> list[str]:
        try:
            if self._link is None:
                self._link = self._server.connect()
                self._pieces.clear()
                self._link.exchange([_LISTEN])
                self._heard_at = time.monotonic()
                return []
            return self._receive(self._link, seconds)
        except (*FAULTS, psycopg.Error, OSError) as error:
            self._drop()
            raise DatabaseUnavailable(
                f"The database {self._server.address.shown} does not answer: {reason_of(error)}.",
                retry_after=1,
            ) from error

    def wake(self) -> None:
        with self._lock:
            if not self._closed and not self._woken:
                self._woken = True
                os.write(self._wake_write, b"x")

    def tidy(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        self._drop()
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._wake_read)
                os.close(self._wake_write)

    def _receive(self, link: Link, seconds: float) -> list[str]:
        if found := self._heard(link):
            return found
        poll = select.poll()
        poll.register(link, select.POLLIN | select.POLLERR | select.POLLHUP)
        poll.register(self._wake_read, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0, round(seconds * 1000)))}
        if self._wake_read in ready:
            with self._lock:
                self._woken = False
                os.read(self._wake_read, 16)
        if link.fileno() in ready:
            self._heard_at = time.monotonic()
        elif time.monotonic() - self._heard_at > _QUIET_SECONDS:
            link.exchange([_ASK])
            self._heard_at = time.monotonic()
        return self._heard(link)

    def _heard(self, link: Link) -> list[str]:
        """Whole texts out of what has arrived."""
        return [text for sender, payload in link.notices() for text in self._take(sender, payload)]

    def _take(self, sender: int, payload: str) -> Iterator[str]:
        text = self._pieces.setdefault(sender, _Parcel()).take(payload)
        if text is not None:
            yield text
        if not self._pieces[sender].begun:
            del self._pieces[sender]

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


class _Parcel:
    """The pieces of one text: those of a transaction come together and in order."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    @property
    def begun(self) -> bool:
        return bool(self._pieces)

    def take(self, payload: str) -> str | None:
        """The whole text when this was its last piece; None before. Foreign payloads, and pieces
        without a beginning, are passed over."""
        head, _, piece = payload.partition(" ")
        _, _, place = head.partition(".")
        index, _, total = place.partition("/")
        if not index.isdecimal() or not total.isdecimal():
            return None
        if int(index) != len(self._pieces) + 1:
            self._pieces.clear()
            if int(index) != 1:
                return None
        self._pieces.append(piece)
        if index != total:
            return None
        pieces, self._pieces = self._pieces, []
        return "".join(pieces)


def _payloads(number: int, text: str) -> Iterator[str]:
    """``<number>.<index>/<total> <piece>``: no two of one transaction are alike, which the server
    would take for one."""
    total = max(1, -(-len(text) // _PIECE))
    for index in range(total):
        piece = text[index * _PIECE : (index + 1) * _PIECE]
        yield f"{number}.{index + 1}/{total} {piece}"
