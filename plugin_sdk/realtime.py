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

    def send_json(self, value: Any) -> bool: ...

    def close(self, code: int = 1000, reason: str = "") -> None: ...

    def on_message(self, callback: Callable[[str | bytes], object]) -> None:
        """Called for each message, one after the other, on a thread of the host. The last callback
        given is the one that is called."""
        ...

    def on_close(self, callback: Callable[[int, str], object]) -> None:
        """Called once with code and reason, however the connection ended; at once when it has
        ended already."""
        ...


class RealtimeProvider(ABC):
    """The provider type ``realtime``: carries a message to everybody who listens."""

    name: ClassVar[str]

    @abstractmethod
    def broadcast(
        self, message: Mapping[str, Any], *, allow: Callable[[Principal], bool] | None = None
    ) -> None:
        """Sends to all clients, or to those whose principal ``allow`` lets through; never blocks
        and never raises."""


class Realtime(Protocol):
    """``context.realtime`` (capability ``realtime``)."""

    def broadcast(
        self, message: Mapping[str, Any], *, allow: Callable[[Principal], bool] | None = None
    ) -> None:
        """Through the active realtime provider; without one nothing happens. ``type`` of the
        message is ``<domain>:<event>``."""
        ...
