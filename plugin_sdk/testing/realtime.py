"""``context.realtime`` and WebSocket connections in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from plugin_sdk.access import ANONYMOUS, Principal
from plugin_sdk.errors import Invalid
from plugin_sdk.http import Request
from plugin_sdk.strict_json import dump_json

__all__ = ["FakeConnection", "FakeRealtime"]

_Allow = Callable[[Principal], bool]

_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})
"""What may be sent of the codes below 3000 (RFC 6455, 7.4, and IANA's registry)."""
_MAX_REASON: Final = 123


class FakeRealtime:
    """``context.realtime`` in tests: keeps what was broadcast::

        assert context.realtime.sent == [{"type": "board:changed", "room": "room-1"}]
        assert context.realtime.sent_to(signed_in("ADMIN")) == context.realtime.sent

    Raises Invalid for a message that is no JSON object with a ``type`` of the form
    ``<domain>:<event>``: the host would send it, and no client would know what it is.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        """Every message, in order."""
        self._allowed: list[tuple[_Allow | None, str | None]] = []

    def broadcast(
        self,
        message: Mapping[str, Any],
        *,
        allow: _Allow | None = None,
        permission: str | None = None,
    ) -> None:
        copy = json.loads(dump_json(dict(message)))
        domain, colon, event = str(copy.get("type", "")).partition(":")
        if not (domain and colon and event):
            raise Invalid('The "type" of a message is "<domain>:<event>".')
        self.sent.append(copy)
        self._allowed.append((allow, permission))

    def sent_to(self, principal: Principal) -> list[dict[str, Any]]:
        """The messages that this listener would have got."""
        pairs = zip(self.sent, self._allowed, strict=True)
        return [
            message
            for message, (allow, permission) in pairs
            if (allow is None or allow(principal))
            and (permission is None or principal.holds(permission))
        ]


class FakeConnection:
    """A WebSocket for calling a ``@websocket`` handler::

        connection = FakeConnection(principal=signed_in())
        plugin.live(connection)                        # registers its callbacks
        connection.receive({"type": "hello"})          # what the client sends
        assert connection.sent_json == [{"type": "welcome"}]
        connection.leave()                             # the client goes

    With ``stalled`` set the client reads nothing more: what is sent waits, and once more than
    ``max_queue`` bytes wait the connection is closed with 1013. What a callback raises comes
    through to the test.
    """

    def __init__(
        self,
        request: Request | None = None,
        *,
        principal: Principal = ANONYMOUS,
        id: str = "connection-1",
        max_queue: int = 1024 * 1024,
    ) -> None:
        self.sent: list[str | bytes] = []
        """Every message that the plugin sent, in order."""
        self.stalled = False
        self.close_code: int | None = None
        self.close_reason: str = ""
        self._request = request or Request(principal=principal)
        self._principal = principal if request is None else request.principal
        self._id = id
        self._max_queue = max_queue
        self._waiting = 0
        self._on_message: Callable[[str | bytes], object] | None = None
        self._on_close: list[Callable[[int, str], object]] = []

    @property
    def id(self) -> str:
        return self._id

    @property
    def request(self) -> Request:
        return self._request

    @property
    def principal(self) -> Principal:
        return self._principal

    @property
    def closed(self) -> bool:
        return self.close_code is not None

    @property
    def sent_json(self) -> list[Any]:
        """The messages sent, each read as JSON; raises ValueError when one is none."""
        return [json.loads(message) for message in self.sent]

    def send(self, message: str | bytes) -> bool:
        size = _size(message)
        if self.closed:
            return False
        if self.stalled:
            self._waiting += size
            if self._waiting > self._max_queue:
                self._end(1013, "too slow")
                return False
        self.sent.append(message)
        return True

    def send_json(self, value: Any) -> bool:
        return self.send(dump_json(value))

    def close(self, code: int = 1000, reason: str = "") -> None:
        if code not in _CLOSE_CODES and not 3000 <= code <= 4999:
            raise Invalid(f"{code} is no close code that can be sent.")
        if len(reason.encode()) > _MAX_REASON:
            raise Invalid(f"The reason of a close has at most {_MAX_REASON} bytes.")
        self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        if self.closed:
            return
        self.close_code = code
        self.close_reason = reason
        for callback in list(self._on_close):
            callback(code, reason)

    def on_message(self, callback: Callable[[str | bytes], object]) -> None:
        self._on_message = callback

    def on_close(self, callback: Callable[[int, str], object]) -> None:
        if self.close_code is not None:
            callback(self.close_code, self.close_reason)
        else:
            self._on_close.append(callback)

    def receive(self, message: str | bytes | Mapping[str, Any] | list[Any]) -> None:
        """A message of the client; an object or a list is sent as JSON. RuntimeError when the
        connection is closed."""
        if self.closed:
            raise RuntimeError("The connection is closed: no client can send any more.")
        ready = message if isinstance(message, str | bytes) else dump_json(message)
        if self._on_message is not None:
            self._on_message(ready)

    def leave(self, code: int = 1000, reason: str = "") -> None:
        """The client goes, or with 1006 is lost."""
        self._end(code, reason)


def _size(message: str | bytes) -> int:
    """In bytes. Raises Invalid for what is no message."""
    if isinstance(message, bytes):
        return len(message)
    if not isinstance(message, str):
        raise Invalid(f"A message is str or bytes, not {type(message).__name__}.")
    try:
        return len(message.encode())
    except UnicodeEncodeError as error:
        raise Invalid(f"The message is not Unicode text: {error.reason}.") from None
