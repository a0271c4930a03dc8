"""The realtime provider ``ws``: one message, one frame, all connections, one order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from plugin_sdk import (
    Clock,
    Connection,
    Invalid,
    Logger,
    Principal,
    RealtimeProvider,
    dump_json,
)

__all__ = ["GREETING", "Hub"]

GREETING: Final = "Connected to Stagebox media API WebSocket"
_LOG_MESSAGE: Final = "log:message"
_GOING_AWAY: Final = 1001
_TRY_AGAIN_LATER: Final = 1013


class Hub(RealtimeProvider):
    """Open connections, and the way to send to them (section 6 of the media contract).

    The lock makes the order: under it a frame is queued at every connection, which never waits,
    before the next frame is queued at any. It can be taken again by its holder, since a
    connection that is closed by a send may say so from within.
    """

    name = "ws"

    def __init__(self, clock: Clock, log: Logger) -> None:
        self._clock = clock
        self._log = log
        self._connections: dict[str, Connection] = {}
        self._order = threading.RLock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._connections)

    def join(self, connection: Connection, *, limit: int) -> None:
        """Greets a connection, and sends it everything from now on. Beyond ``limit`` it is closed
        with 1013: the host refuses those by itself, unless the limit was lowered lately."""
        greeting = {
            "type": "connection:established",
            "message": GREETING,
            "timestamp": self._clock.iso(),
        }
        with self._order:
            if self._closed:
                connection.close(_GOING_AWAY)
                return
            if len(self._connections) >= limit:
                connection.close(_TRY_AGAIN_LATER, "too many connections")
                return
            connection.send_json(greeting)
            self._connections[connection.id] = connection
        connection.on_close(lambda _code, _reason: self._leave(connection))
        if connection.closed:  # before anybody was there to be told
            self._leave(connection)

    def broadcast(
        self, message: Mapping[str, Any], *, allow: Callable[[Principal], bool] | None = None
    ) -> None:
        with self._order:  # or one that was greeted a moment ago might be overlooked
            if not self._connections:
                return  # before anything is rendered for nobody
        try:
            frame = _frame(message)
        except Exception as error:  # whatever the caller passed: it must not suffer from us
            self._complain(message, "A realtime message was not sent.", error)
            return
        # Asked before the lock is taken: who is slow to decide holds up no other message.
        chosen = None if allow is None else self._chosen(message, allow)
        with self._order:
            broken = self._send(frame, chosen)
        for reason in broken:  # not under the lock: a log line may become a message itself
            self._complain(message, "A realtime message was not sent to one client.", reason)

    def close(self) -> None:
        """Closes every connection with 1001, and those that still come."""
        with self._order:
            self._closed = True
            connections = list(self._connections.values())
            self._connections.clear()
        for connection in connections:
            connection.close(_GOING_AWAY)

    def _send(self, frame: str, connections: list[Connection] | None) -> list[Exception]:
        """To all without a list; returns what went wrong."""
        broken: list[Exception] = []
        for connection in list(self._connections.values()) if connections is None else connections:
            try:
                if not connection.send(frame):
                    self._leave(connection)
            except Exception as error:  # one broken connection must not cost the others
                self._leave(connection)
                broken.append(error)
        return broken

    def _chosen(
        self, message: Mapping[str, Any], allow: Callable[[Principal], bool]
    ) -> list[Connection]:
        with self._order:
            connections = list(self._connections.values())
        try:
            return [each for each in connections if allow(each.principal)]
        except Exception as error:  # nobody is let through by a filter that fails
            self._complain(message, "The filter of a realtime message failed.", error)
            return []

    def _leave(self, connection: Connection) -> None:
        with self._order:
            self._connections.pop(connection.id, None)

    def _complain(self, message: Any, what: str, error: Exception) -> None:
        """To the log, unless the message itself tells of a log line: that would go in circles."""
        kind = message.get("type") if isinstance(message, Mapping) else None
        if kind != _LOG_MESSAGE:
            self._log.error("%s Type: %r.", what, kind, exc_info=error)


def _frame(message: Mapping[str, Any]) -> str:
    if not isinstance(message.get("type"), str):
        raise Invalid('A realtime message needs a text "type": "<domain>:<event>".')
    return dump_json(dict(message))
