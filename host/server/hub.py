"""All open WebSockets of a host: one loop thread for the sockets, a few for the callbacks."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from host.server.connection import Message, SocketConnection, encode
from host.server.lanes import Lanes
from host.server.link import Link
from host.server.workers import Workers
from host.web.handshake import WebSocketSession
from plugin_sdk.context import Logger

__all__ = ["Hub"]

_READ_BUFFER: Final = 64 * 1024
_GONE: Final = "the plugin was switched off"
_STOP_GRACE: Final = 2.0
"""How long clients get for the closing handshake when the host stops, in seconds."""


class Hub:
    """Takes sockets whose opening handshake is judged, from whichever server, and serves them.

    No thread per socket: one asyncio loop reads, writes and pings; ``callback_threads`` call the
    plugins, for each connection one callback after the other, and for one path at most half of
    them at once, so that a plugin that hangs leaves threads for the others.

    ``close_seconds``: how long a client may take for the closing handshake.
    """

    def __init__(
        self, log: Logger, *, callback_threads: int = 8, close_seconds: float = 10.0
    ) -> None:
        self.log = log
        self.protocol_log = _protocol_log(log)
        self._close_seconds = close_seconds
        self._workers = Workers("stagebox-socket", callback_threads, log)
        self._lanes = Lanes(self._workers, max(1, callback_threads // 2))
        self._lock = threading.Condition()
        self._connections: set[SocketConnection] = set()
        self._counts: dict[str, int] = {}
        self._links: dict[SocketConnection, Link] = {}  # loop thread only
        self._tasks: set[asyncio.Task[None]] = set()
        self._touched: deque[SocketConnection] = deque()
        self._woken = False
        self._last: tuple[Message, bytes] = ("", encode(""))
        self._buffer = bytearray(_READ_BUFFER)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Starts the loop thread; the callback threads start with the first connection."""
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _, context: self._failed(context))
        self._loop = loop
        self._thread = threading.Thread(
            target=self._run, args=(loop,), name="stagebox-sockets", daemon=True
        )
        self._thread.start()

    @property
    def connections(self) -> int:
        """How many connections there are, those included that are closing."""
        return len(self._connections)

    # ---- life of a connection

    def open(self, session: WebSocketSession, greeting: bytes) -> SocketConnection | None:
        """Makes room for a connection, before its socket is there. None when the path has all
        the connections that it may have, or the hub is stopping: the session stays the caller's.

        ``greeting`` is sent first: the 101 answer. `adopt` or `discard` must follow."""
        connection = SocketConnection(self, session, greeting)
        path = connection.request.path
        with self._lock:
            count = self._counts.get(path, 0)
            if self._stopping or count >= connection.limits.max_connections:
                return None
            self._counts[path] = count + 1
            self._connections.add(connection)
            self._workers.start()
        return connection

    def adopt(
        self, connection: SocketConnection, sock: socket.socket, surplus: bytes = b""
    ) -> None:
        """Takes over a connected socket; ``surplus`` are bytes that were read behind the head of
        the request. Any thread; does not block."""
        sock.setblocking(False)
        if connection.session.gone():  # since it was judged, and `close_gone` came too early
            connection.end(1001, _GONE, deaf=True)
        try:
            self._call(lambda: self._adopt(connection, sock, surplus))
        except RuntimeError:  # the loop has ended
            sock.close()
            self.discard(connection)

    def discard(self, connection: SocketConnection) -> None:
        """The socket was lost before it came here."""
        connection.linked = False
        connection.end(1006, "", discard=True, deaf=True)
        self._forget(connection)

    def close_gone(self) -> int:
        """Closes with 1001 every connection whose plugin is gone; returns how many. Call it after
        a plugin was switched off; it does not wait."""
        return self._end_all(_GONE, only_gone=True)

    def end_all(self) -> None:
        """Takes no more connections and closes all with 1001; does not wait."""
        with self._lock:
            self._stopping = True
        self._end_all("the host is stopping", only_gone=False)

    def stop(self, timeout: float) -> bool:
        """Closes all connections with 1001, waits for their last callbacks and ends the threads.
        False when that took longer than ``timeout`` seconds: a callback hangs."""
        deadline = time.monotonic() + timeout
        self.end_all()
        if not self._wait_empty(min(timeout, _STOP_GRACE)):
            self._call(self._abort_all)
        clean = self._wait_empty(max(0.0, deadline - time.monotonic()))
        clean &= self._workers.stop(max(0.1, deadline - time.monotonic()))
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None
        return clean

    def _wait_empty(self, timeout: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: not self._connections, timeout)

    def _end_all(self, reason: str, *, only_gone: bool) -> int:
        with self._lock:
            connections = list(self._connections)
        ended = 0
        for connection in connections:
            if not only_gone or connection.session.gone():
                ended += connection.end(1001, reason, deaf=True)
        return ended

    # ---- Switchboard, for the connections

    def encoded(self, message: Message) -> bytes:
        """The frame of a message; a broadcast of one object is encoded once."""
        known, frame = self._last
        if known is not message:
            frame = encode(message)
            self._last = (message, frame)
        return frame

    def touch(self, connection: SocketConnection) -> None:
        self._touched.append(connection)
        if not self._woken:  # cleared before the queue is looked at, so that none is missed
            self._woken = True
            try:
                self._call(self._attend)
            except RuntimeError:  # the loop has ended, and its sockets with it
                self._woken = False

    def submit(self, connection: SocketConnection) -> None:
        self._lanes.submit(connection.request.path, connection)

    def finished(self, connection: SocketConnection) -> None:
        connection.done = True
        self._forget(connection)

    def _forget(self, connection: SocketConnection) -> None:
        with self._lock:
            if connection.linked or not connection.done or connection not in self._connections:
                return
            self._connections.discard(connection)
            path = connection.request.path
            self._counts[path] -= 1
            if not self._counts[path]:
                del self._counts[path]
            self._lock.notify_all()

    # ---- loop thread

    def _call(self, function: Callable[[], object]) -> None:
        """Has something done on the loop thread; RuntimeError when there is none any more."""
        loop = self._loop
        if loop is None:
            raise RuntimeError("the loop has ended")
        loop.call_soon_threadsafe(function)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        finally:
            self._abort_all()
            loop.run_until_complete(asyncio.sleep(0))  # lets the transports say good-bye
            loop.close()

    def _adopt(self, connection: SocketConnection, sock: socket.socket, surplus: bytes) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._connect(connection, sock, surplus))
        self._tasks.add(task)  # asyncio itself keeps weak references only
        task.add_done_callback(self._tasks.discard)

    async def _connect(
        self, connection: SocketConnection, sock: socket.socket, surplus: bytes
    ) -> None:
        link = Link(
            connection,
            surplus,
            self._buffer,
            close_seconds=self._close_seconds,
            protocol_log=self.protocol_log,
            on_lost=self._lost,
        )
        self._links[connection] = link
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: link, sock)
        except OSError as error:
            self.log.debug("A socket was lost before it was a WebSocket: %s.", error)
            sock.close()
            del self._links[connection]
            self.discard(connection)

    def _attend(self) -> None:
        self._woken = False
        while self._touched:
            link = self._links.get(self._touched.popleft())
            if link is not None:
                link.attend()

    def _lost(self, connection: SocketConnection) -> None:
        self._links.pop(connection, None)
        connection.linked = False
        self._forget(connection)

    def _abort_all(self) -> None:
        for link in list(self._links.values()):
            link.abort()

    def _failed(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.log.error("On the WebSocket loop: %s", context["message"], exc_info=error)


def _protocol_log(log: Logger) -> logging.Logger:
    """For the ``websockets`` library: warnings and worse go to ``log``, its many words about each
    connection and frame nowhere, lest a log that is shown on a WebSocket feeds itself."""
    quiet = logging.Logger("stagebox.websockets", logging.WARNING)
    quiet.parent = log.logger if isinstance(log, logging.LoggerAdapter) else log
    return quiet
