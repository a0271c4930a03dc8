"""WebSockets: connections that a plugin's ``@websocket`` route gets, and broadcasting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from plugin_sdk.access import Principal
from plugin_sdk.http import Request

__all__ = ["Connection", "Realtime", "RealtimeProvider"]


class Connection(Protocol):
    """One open WebSocket. The host owns socket, ping and back-pressure; all methods may be called
    from any thread and none of them blocks."""

    @property
    def id(self) -> str: ...
    @property
    def request(self) -> Request:
        """The request that asked for the upgrade."""
        ...

    @property
    def principal(self) -> Principal: ...
    @property
    def closed(self) -> bool: ...

    def send(self, message: str | bytes) -> bool:
        """Queues a text or binary message. False when the connection is closed, or is closed now
        with 1013 because more than ``max_queue`` bytes were waiting."""
        ...

    def send_json(self, value: Any) -> bool:
        """As `send`, a JSON value as text."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Ends the connection after what is queued. Raises Invalid for a code that may not be sent
        (RFC 6455, 7.4), and for a reason of more than 123 bytes."""
        ...

    def on_message(self, callback: Callable[[str | bytes], object]) -> None:
        """Called for each message, one after the other, on a thread of the host. The last callback
        given is the one that is called."""
        ...

    def on_close(self, callback: Callable[[int, str], object]) -> None:
        """Called once with code and reason, however the connection ended; at once when it has
        ended already."""
        ...


class RealtimeProvider(ABC):
    """The provider type ``realtime``: carries a message to everybody who listens.

    The host asks the active provider of every process on the same database for each message, also
    for those that another process published. One that reaches the clients of all of them by itself
    (a service somewhere, say) says so with ``reaches_all`` and is asked once.
    """

    name: ClassVar[str]
    reaches_all: ClassVar[bool] = False

    @abstractmethod
    def broadcast(
        self, message: Mapping[str, Any], *, allow: Callable[[Principal], bool] | None = None
    ) -> None:
        """Sends to all clients of this process, or to those whose principal ``allow`` lets
        through; never blocks and never raises."""


class Realtime(Protocol):
    """``context.realtime`` (capability ``realtime``)."""

    def broadcast(
        self,
        message: Mapping[str, Any],
        *,
        allow: Callable[[Principal], bool] | None = None,
        permission: str | None = None,
    ) -> None:
        """Through the active realtime provider, to the clients of every process on the same
        database; without a provider nothing happens. ``type`` of the message is
        ``<domain>:<event>``.

        ``permission``: to those alone who hold it. ``allow`` may judge by anything, but no
        function travels: with it the message goes to the clients of this process only.

        Never blocks and never raises. What one thread broadcasts arrives in that order and not
        twice; elsewhere a moment later than here. A client may miss messages while its process
        has lost the database: have it ask for the present state when it matters."""
        ...
