"""A listening socket, and the words in which an operator names one."""

from __future__ import annotations

import errno
import time
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from host.errors import ConfigurationError
from host.server.channel import Channel
from host.server.site import Site
from host.server.workers import Task, Workers

__all__ = ["Listener", "resolve"]

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_SECONDS: Final = 1.0
_MAX_PORT: Final = 65535


def resolve(address: str) -> list[Any]:
    """What to bind for ``host:port`` or ``[v6]:port``: one socket for each address of the host.
    Raises ConfigurationError."""
    host, separator, port = address.rpartition(":")
    if (
        not separator
        or not host
        or not port.isascii()
        or not port.isdigit()
        or int(port) > _MAX_PORT
    ):
        raise _unusable(address, 'write "host:port", an IPv6 address in brackets')
    try:
        found: list[Any] = Adjustments(listen=address).listen
    except ValueError:
        raise _unusable(address, "that host has no address") from None
    return found


def _unusable(address: str, why: str) -> ConfigurationError:
    return ConfigurationError(f'The server cannot listen on "{address}": {why}.', key="listen")


class Listener(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """waitress' server for one socket; poller, workers and site are shared by all listeners.

    Listens at once, and raises ConfigurationError when it cannot.
    """

    channel_class = Channel

    def __init__(
        self,
        site: Site,
        workers: Workers,
        adj: Any,
        sockinfo: Any,
        *,
        connections: int,
        spare_seconds: float,
    ) -> None:
        self.site = site
        self.logger = site.log
        self._connections = connections
        self._spare_seconds = spare_seconds
        self._full = False
        self._accept_again = 0.0
        try:
            super().__init__(
                site.gateway,
                site.poller,
                dispatcher=workers,
                adj=adj,
                sockinfo=sockinfo,
            )
        except OSError as error:
            self.close()
            where = f"{sockinfo[3][0]}:{sockinfo[3][1]}"
            raise _unusable(where, (error.strerror or str(error)).lower()) from error
        self.trigger.close()  # the poller has one for all

    @property
    def address(self) -> str:
        """``127.0.0.1:8085``, ``[::1]:8085``: with the real port."""
        host = self.effective_host
        return f"[{host}]:{self.effective_port}" if ":" in host else f"{host}:{self.effective_port}"

    def pull_trigger(self) -> None:
        self.site.poller.wake()

    def add_task(self, task: Task) -> None:
        """A connection has a request to be answered. The I/O thread, or the worker that answered
        the one before it; any other calls ``task_dispatcher.add_task``."""
        self.task_dispatcher.leave(task)

    # ---- I/O thread

    def readable(self) -> bool:
        return bool(self.accepting) and not self._full and time.monotonic() >= self._accept_again

    def handle_accept(self) -> None:
        try:
            pair = self.accept()
        except OSError as error:
            self._note(error)
            return
        if pair is None:
            return
        sock, address = pair
        try:
            self.set_socket_options(sock)
        except OSError:  # it is gone again
            sock.close()
            return
        self.channel_class(self, sock, address, self.adj, map=self._map)
        if len(self.site.poller) > self._connections:
            self._make_room()

    def _note(self, error: OSError) -> None:
        if error.errno in _EXHAUSTED:
            self._accept_again = time.monotonic() + _PAUSE_SECONDS
            self.logger.error("No connection can be accepted for a moment: %s.", error.strerror)
        else:
            self.logger.debug("A connection was lost before it was accepted: %s.", error)

    def _make_room(self) -> None:
        """Ends the connection that has been idle longest; if all are busy, or came just now, no
        more are accepted until one ends."""
        before = time.monotonic() - self._spare_seconds
        channels = [item for item in self.site.poller.values() if isinstance(item, Channel)]
        idle = [item for item in channels if item.idle and item.last_activity < before]
        if idle:
            min(idle, key=lambda channel: channel.last_activity).handle_close()
        else:
            self._full = True

    def room(self) -> None:
        """A connection ended somewhere."""
        if self._full:
            self._full = False
            self.site.poller.changed(self)

    def handle_close(self) -> None:
        """Only `close` ends a listener, no error that came its way."""
