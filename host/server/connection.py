"""A WebSocket connection as plugins see it: a queue out, a queue in, and who is told."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Final, Protocol

from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode

from host.web.handshake import WebSocketSession
from plugin_sdk import Invalid, Principal, Request, dump_json
from plugin_sdk.context import Logger

__all__ = ["SocketConnection", "Switchboard", "encode"]

Message = str | bytes

_INBOX_MESSAGES: Final = 32
_INBOX_BYTES: Final = 256 * 1024
_TURN: Final = 16
"""How many messages of one connection are handed over before others get the thread."""

_MAX_REASON: Final = 123


class _Sign(Enum):
    OPENED = auto()
    CLOSED = auto()


class Switchboard(Protocol):
    """What a connection needs of the hub."""

    log: Logger

    def encoded(self, message: Message) -> bytes: ...
    def touch(self, connection: SocketConnection) -> None:
        """There is something to send: have the loop thread look."""
        ...

    def submit(self, connection: SocketConnection) -> None:
        """There is something to hand over: have a callback thread call ``service()``."""
        ...

    def finished(self, connection: SocketConnection) -> None:
        """The last callback was called and the lease is back."""
        ...


def encode(message: Message) -> bytes:
    """A message as one frame (RFC 6455, 5.2): unmasked, as a server sends it. Raises Invalid."""
    if isinstance(message, str):
        try:
            return Frame(Opcode.TEXT, message.encode()).serialize(mask=False)
        except UnicodeEncodeError as error:
            raise Invalid(f"The message is not Unicode text: {error.reason}.") from None
    if isinstance(message, bytes):
        return Frame(Opcode.BINARY, message).serialize(mask=False)
    raise Invalid(f"A message is str or bytes, not {type(message).__name__}.")


class SocketConnection:
    """Implements `plugin_sdk.Connection`. Every method may be called from any thread.

    It ends once, with the first reason there is: the plugin closes it, the client does, a limit
    is broken, the plugin goes, the host stops. From then on nothing is queued any more; the socket
    may live on for a moment until the closing handshake is through.
    """

    def __init__(self, board: Switchboard, session: WebSocketSession, greeting: bytes) -> None:
        self.session = session
        self.greeting = greeting
        self.limits = session.limits
        self.request: Request = session.request
        self.id = uuid.uuid4().hex
        self.linked = True  # False once the socket is gone; set by the hub
        self.done = False  # True once the lease is back
        self.unsent = 0  # bytes that the transport keeps; set by the loop thread
        self._board = board
        self._lock = threading.Lock()
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._touched = False
        self._inbox: deque[Message | _Sign] = deque()
        self._inbox_bytes = 0
        self._served = False  # a callback thread has it, or will have it
        self._stalled = False  # the loop thread stopped reading because of the inbox
        self._ending: tuple[int, str] | None = None
        self._message_callback: Callable[[Message], object] | None = None
        self._close_callbacks: list[Callable[[int, str], object]] | None = []

    # ---- plugin_sdk.Connection

    @property
    def principal(self) -> Principal:
        return self.request.principal

    @property
    def closed(self) -> bool:
        return self._ending is not None

    def send(self, message: Message) -> bool:
        """Queues a message; False when it is too late, or the client too slow: more than
        ``max_queue`` bytes would wait for it, and it is dropped with 1013."""
        frame = self._board.encoded(message)
        with self._lock:
            if self._ending is not None:
                return False
            waiting = self._outbox_bytes + self.unsent + len(frame)
            fits = waiting <= self.limits.max_queue
            if fits:
                self._outbox.append(frame)
                self._outbox_bytes += len(frame)
                touch, self._touched = not self._touched, True
        if not fits:
            self.end(1013, "too slow", discard=True)
            return False
        if touch:
            self._board.touch(self)
        return True

    def send_json(self, value: Any) -> bool:
        return self.send(dump_json(value))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Ends the connection after what is queued. Raises Invalid for a code that RFC 6455, 7.4
        does not allow, or a reason of more than 123 bytes."""
        try:
            Close(code, reason).check()
        except ProtocolError:
            raise Invalid(f"{code} is no close code that can be sent.") from None
        if len(reason.encode()) > _MAX_REASON:
            raise Invalid(f"The reason of a close has at most {_MAX_REASON} bytes.")
        self.end(code, reason)

    def on_message(self, callback: Callable[[Message], object]) -> None:
        """Messages that arrive before the handler returned wait; those that arrive later, while
        there is no callback, are dropped. A second callback takes the place of the first."""
        self._message_callback = callback

    def on_close(self, callback: Callable[[int, str], object]) -> None:
        """May be called for several callbacks; on a connection that ended long ago they are
        called at once."""
        with self._lock:
            if self._close_callbacks is not None:
                self._close_callbacks.append(callback)
                return
            assert self._ending is not None
            ending = self._ending
        callback(*ending)

    # ---- for the hub and the loop thread

    @property
    def ending(self) -> tuple[int, str] | None:
        """Code and reason once it has ended."""
        return self._ending

    @property
    def pending(self) -> bool:
        """Whether frames wait to be taken."""
        return bool(self._outbox)

    def end(self, code: int, reason: str, *, discard: bool = False, deaf: bool = False) -> bool:
        """Ends the connection; False when it had ended before.

        ``discard`` drops what is queued for the client, ``deaf`` what came from it and was not
        handed over yet."""
        with self._lock:
            if self._ending is not None:
                return False
            self._ending = (code, reason)
            if discard:
                self._outbox.clear()
                self._outbox_bytes = 0
            if deaf:
                self._inbox.clear()
                self._inbox_bytes = 0
            self._inbox.append(_Sign.CLOSED)
            serve, self._served = not self._served, True
        self._board.touch(self)
        if serve:
            self._board.submit(self)
        return True

    def take(self, limit: int) -> Sequence[bytes]:
        """Frames to be sent now, about ``limit`` bytes of them; none when all are taken."""
        taken = []
        size = 0
        with self._lock:
            while self._outbox and size < limit:
                frame = self._outbox.popleft()
                taken.append(frame)
                size += len(frame)
            self._outbox_bytes -= size
            # until the transport has said how much of it is left, so that a sender that comes in
            # between does not take the queue for empty
            self.unsent += size
            if not taken:
                self._touched = False
        return taken

    def begin(self) -> None:
        """The socket is there: the handler is called, unless it is all over already."""
        self._hand(_Sign.OPENED, 0)

    def deliver(self, message: Message) -> None:
        """A message came in."""
        self._hand(message, len(message))

    def _hand(self, item: Message | _Sign, size: int) -> None:
        with self._lock:
            if self._ending is not None:
                return
            self._inbox.append(item)
            self._inbox_bytes += size
            serve, self._served = not self._served, True
        if serve:
            self._board.submit(self)

    def backlogged(self) -> bool:
        """Whether reading has to stop; then the loop thread is touched when it may go on."""
        with self._lock:
            self._stalled = len(self._inbox) >= _INBOX_MESSAGES or self._inbox_bytes >= _INBOX_BYTES
            return self._stalled

    # ---- callback threads

    def service(self) -> None:
        """Hands over some of what came in, in order. Never two threads at once."""
        for _ in range(_TURN):
            item = self._next()
            if item is None:
                return
            self._perform(item)
        self._board.submit(self)

    def _next(self) -> Message | _Sign | None:
        resume = False
        with self._lock:
            if not self._inbox:
                self._served = False
                return None
            item = self._inbox.popleft()
            if not isinstance(item, _Sign):
                self._inbox_bytes -= len(item)
            if self._stalled and len(self._inbox) <= _INBOX_MESSAGES // 2:
                self._stalled = False
                resume = True
        if resume:
            self._board.touch(self)
        return item

    def _perform(self, item: Message | _Sign) -> None:
        if item is _Sign.OPENED:
            self._fenced(self.session.opened, self)
        elif item is _Sign.CLOSED:
            self._tell_closed()
        elif self._message_callback is not None:
            self._fenced(self.session.invoke, self._message_callback, item)

    def _tell_closed(self) -> None:
        assert self._ending is not None
        with self._lock:
            callbacks, self._close_callbacks = self._close_callbacks or [], None
        for callback in callbacks:
            self._fenced(self.session.invoke, callback, *self._ending)
        self._message_callback = None
        self._fenced(self.session.closed)
        self._board.finished(self)

    def _fenced(self, function: Callable[..., object], *args: Any) -> None:
        try:
            function(*args)
        except BaseException:  # the session has logged it; SystemExit too: the thread serves others
            self._board.log.warning("%s is closed: its callback failed.", self.request.path)
            self.end(1011, "internal error")
