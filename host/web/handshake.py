"""What the server and the web layer say to each other about WebSockets: values and protocols.

The server owns sockets, frames, pings and back-pressure (`host.server.hub`); who may connect,
and which plugin answers, is judged above it by a `WebSocketApplication`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugin_sdk import Connection, Request, WebSocketRoute

__all__ = ["Handshake", "Refusal", "WebSocketApplication", "WebSocketSession"]


@dataclass(frozen=True, slots=True)
class Handshake:
    """An opening handshake (RFC 6455, 4.2.1) whose form is in order: GET, HTTP/1.1, the upgrade
    headers, a usable key, version 13.

    ``path`` is percent-decoded text, ``query`` the raw query string without ``?``. Names in
    ``headers`` are lower-case; a header sent twice is joined by ``", "``. ``peer`` is the address
    of the socket's other end, ``scheme`` is ``http`` or ``https``.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    peer: str
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake that is answered as plain HTTP. Length, Date and ``Connection: close`` are
    the server's."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)


class WebSocketSession(Protocol):
    """One accepted handshake, as the layer above knows it. It holds a lease on the plugin from
    the moment `WebSocketApplication.open` returned it until the server calls `closed`.

    All methods but `gone` are called on the hub's callback threads, never two at once.
    """

    @property
    def limits(self) -> WebSocketRoute: ...
    @property
    def request(self) -> Request: ...

    def opened(self, connection: Connection) -> None:
        """Called once, when the connection is open and before any message; calls the plugin's
        handler. An exception that comes out closes the connection with 1011."""
        ...

    def invoke(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls what the plugin registered with ``on_message`` or ``on_close``, fenced. An
        exception that comes out closes the connection with 1011."""
        ...

    def closed(self) -> None:
        """Called exactly once, after the last `invoke`, also when the connection never opened:
        gives back the lease."""
        ...

    def gone(self) -> bool:
        """Whether the plugin that opened this is switched off or replaced. Any thread may ask;
        must not block."""
        ...


class WebSocketApplication(Protocol):
    """What the server asks when a request might be a handshake."""

    def find(self, path: str) -> WebSocketRoute | None:
        """The route at exactly this path (percent-decoded text), or None. Asked on the I/O
        thread for every GET request: one look-up, nothing that blocks, no exception."""
        ...

    def open(self, handshake: Handshake) -> Refusal | WebSocketSession:
        """Identifies, authorises, takes the lease. Called on a worker thread."""
        ...
