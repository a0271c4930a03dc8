"""Connections that are kept open for the next request to the same server.

httpcore's own pool looks at every connection for every other one, twice a request: with a few dozen
of them that costs more than the request. Here a request looks for one.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Final

import httpcore

from host.outbound.network import Network
from plugin_sdk import UpstreamFailed

__all__ = ["Pool"]

KEPT_CONNECTIONS: Final = 64
_KEPT_SECONDS: Final = 10.0

_Idle = tuple[float, httpcore.Origin, httpcore.HTTPConnection]
"""Since when a connection is idle, where it leads, and itself."""


class Pool:
    """At most `KEPT_CONNECTIONS` idle connections, each for ten seconds; those in use are as many
    as their users ask for. ``ssl_context`` is called when the first one needs TLS."""

    def __init__(self, network: Network, ssl_context: Callable[[], ssl.SSLContext]) -> None:
        self._network = network
        self._new_context = ssl_context
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []  # the longest idle one first
        self._in_use: dict[httpcore.HTTPConnection, httpcore.Origin] = {}
        self._closed = False

    def take(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        """The connection that was used last, or a new one; give it back. Raises UpstreamFailed
        when the pool is closed."""
        while (kept := self._kept(origin)) is not None:
            if not kept.has_expired():
                return kept
            self._discard(kept)  # the other side has closed it
        context = self._secure() if origin.scheme == b"https" else None
        connection = httpcore.HTTPConnection(
            origin, ssl_context=context, network_backend=self._network
        )
        with self._lock:
            self._check_open()
            self._in_use[connection] = origin
        return connection

    def give_back(self, connection: httpcore.HTTPConnection) -> None:
        """Keeps a connection whose answer was read to its end; closes any other."""
        good = connection.is_idle() and not connection.is_closed()  # both, if it never opened
        now = time.monotonic()
        with self._lock:
            origin = self._in_use.pop(connection, None)
            superfluous = self._expired(now)
            if good and origin is not None:  # None: the pool was closed, and this one with it
                self._idle.append((now, origin, connection))
                if len(self._idle) > KEPT_CONNECTIONS:
                    superfluous.append(self._idle.pop(0)[2])
            else:
                superfluous.append(connection)
        for each in superfluous:
            each.close()

    def close(self) -> None:
        """Closes all connections, also those in use."""
        with self._lock:
            self._closed = True
            connections = [*self._in_use, *(each for _, _, each in self._idle)]
            self._in_use.clear()
            self._idle.clear()
        for each in connections:
            each.close()

    def _kept(self, origin: httpcore.Origin) -> httpcore.HTTPConnection | None:
        with self._lock:
            self._check_open()
            superfluous = self._expired(time.monotonic())
            found = None
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][1] == origin:
                    found = self._idle.pop(place)[2]
                    self._in_use[found] = origin
                    break
        for each in superfluous:
            each.close()
        return found

    def _discard(self, connection: httpcore.HTTPConnection) -> None:
        with self._lock:
            self._in_use.pop(connection, None)
        connection.close()

    def _expired(self, now: float) -> list[httpcore.HTTPConnection]:
        """Takes out those that nobody has used for long."""
        count = 0
        while count < len(self._idle) and self._idle[count][0] < now - _KEPT_SECONDS:
            count += 1
        expired = [each for _, _, each in self._idle[:count]]
        del self._idle[:count]
        return expired

    def _secure(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._new_context()
            return self._context

    def _check_open(self) -> None:
        if self._closed:
            raise UpstreamFailed("The plugin is switched off: it sends no requests any more.")
