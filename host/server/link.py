"""The socket's side of a WebSocket connection: transport, frames, pings. Loop thread only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from host.server.connection import SocketConnection

__all__ = ["Link"]

_SLICE: Final = 4096
"""So many bytes are parsed before it is asked whether the callbacks keep up."""

_BATCH: Final = 64 * 1024
_MISSED_PONGS: Final = 2


class Link(asyncio.BufferedProtocol):
    """Drives the sans-I/O protocol of the ``websockets`` library for one connection.

    The transport is given one batch of frames at a time and keeps nothing more than what the
    socket did not take of it: what waits, waits in the connection's outbox, where it is counted.
    """

    def __init__(
        self,
        connection: SocketConnection,
        surplus: bytes,
        buffer: bytearray,
        *,
        close_seconds: float,
        protocol_log: logging.Logger,
        on_lost: Callable[[SocketConnection], object],
    ) -> None:
        self.connection = connection
        self._buffer = buffer
        self._close_seconds = close_seconds
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._protocol = ServerProtocol(
            state=State.OPEN, max_size=connection.limits.max_message, logger=protocol_log
        )
        self._unread = memoryview(surplus)
        self._paused = False  # the transport keeps bytes that the socket did not take
        self._fragments: bytearray | None = None
        self._is_text = True
        self._failed = False  # by a message that is no text: what follows it is not read
        self._pings: list[bytes] = []
        self._ping_number = 0
        self._ping_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None

    # ---- asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        self._transport.write(self.connection.greeting)
        self.connection.begin()
        self._plan_ping()
        self.attend()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # asyncio's signature
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._unread = memoryview(bytes(memoryview(self._buffer)[:nbytes]))
        self._read_on()

    def eof_received(self) -> bool:
        """The client sends no more; False has the transport close when all is sent."""
        self._protocol.receive_eof()
        self._settle()
        return False

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.connection.unsent = 0
        self.attend()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        for timer in (self._ping_timer, self._end_timer):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._unread = memoryview(b"")
        self.connection.end(1006, "", discard=True)
        self._on_lost(self.connection)

    # ---- from the hub

    def attend(self) -> None:
        """Does what has become possible: send, read on, begin the closing handshake."""
        if self._transport is None:
            return
        self._flush()
        ending = self.connection.ending
        if ending is not None:
            self._plan_end(self._close_seconds)
            if not self.connection.pending and self._protocol.state is State.OPEN:
                self._protocol.send_close(*ending)
                self._settle()
        self._read_on()

    def abort(self) -> None:
        """Drops the socket at once."""
        if self._transport is not None:
            self._transport.abort()

    # ---- sending

    def _flush(self) -> None:
        while not self._paused and self._protocol.state is State.OPEN:
            frames = self.connection.take(_BATCH)
            if not frames:
                return
            self._write(b"".join(frames))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)
        self.connection.unsent = self._transport.get_write_buffer_size()

    def _settle(self) -> None:
        """Sends what the protocol has to say, and notes whether it came to an end."""
        if self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self._write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        if self._protocol.state is not State.OPEN:
            self._note_end()

    def _note_end(self) -> None:
        self._plan_end(self._close_seconds)
        said = self._protocol.close_rcvd or self._protocol.close_sent
        if said is None:
            self.connection.end(1006, "", discard=True)
        else:
            self.connection.end(int(said.code), said.reason, discard=True)

    def _plan_end(self, seconds: float) -> None:
        """The client gets some time for its part of the closing handshake."""
        if self._end_timer is None:
            self._end_timer = self._loop.call_later(seconds, self.abort)

    # ---- receiving

    def _read_on(self) -> None:
        transport = self._transport
        if transport is None:
            return
        while self._unread:
            if self._must_wait():
                transport.pause_reading()
                return
            piece, self._unread = self._unread[:_SLICE], self._unread[_SLICE:]
            self._receive(piece)
        if not transport.is_reading():
            transport.resume_reading()

    def _must_wait(self) -> bool:
        if self._protocol.state is not State.OPEN:
            return False  # what still comes is thrown away
        # A client that sends pings and reads no pongs must not fill our memory either.
        return self.connection.unsent > _BATCH or self.connection.backlogged()

    def _receive(self, piece: memoryview) -> None:
        self._protocol.receive_data(piece)  # type: ignore[arg-type]  # only appended to a bytearray
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and not self._failed:
                self._frame(event)
        self._settle()

    def _frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.PONG:
            if bytes(frame.data) in self._pings:
                self._pings.clear()
        elif opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._is_text = opcode is Opcode.TEXT
            if frame.fin:
                self._message(bytes(frame.data))
            else:
                self._fragments = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._fragments is not None:
            self._fragments += frame.data
            if frame.fin:
                whole, self._fragments = bytes(self._fragments), None
                self._message(whole)

    def _message(self, data: bytes) -> None:
        if not self._is_text:
            self.connection.deliver(data)
            return
        try:
            self.connection.deliver(data.decode())
        except UnicodeDecodeError as error:
            self._failed = True
            if self._protocol.state is State.OPEN:
                self._protocol.fail(1007, f"{error.reason} at position {error.start}")

    # ---- pings

    def _plan_ping(self) -> None:
        if self.connection.limits.ping_interval > 0:
            interval = self.connection.limits.ping_interval
            self._ping_timer = self._loop.call_later(interval, self._ping)

    def _ping(self) -> None:
        if self._transport is None or self._protocol.state is not State.OPEN:
            return
        if not self._transport.is_reading():
            self._pings.clear()  # pongs cannot be seen: the plugin is slow, not the client
        elif len(self._pings) >= _MISSED_PONGS:
            self._protocol.fail(1011, "no pong")
            self._settle()
            return
        self._ping_number += 1
        payload = self._ping_number.to_bytes(4, "big")
        self._pings.append(payload)
        self._protocol.send_ping(payload)
        self._settle()
        self._plan_ping()
