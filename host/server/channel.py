"""One HTTP connection: what the I/O thread reads and sends, and what the workers answer."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any, Final

from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.wasyncore import _DISCONNECTED

from host.plugins.gate import Postponed
from host.server.bodies import BodyFailed, FileBody
from host.server.connection import SocketConnection
from host.server.parser import Parser, Refused
from host.server.site import Site
from host.server.task import ErrorTask, WsgiTask
from host.server.upgrade import UpgradeTask

__all__ = ["Channel"]

_TURN: Final = 512 * 1024
"""How many bytes one connection may send before the others get their turn."""

_FIRST_TURN: Final = 2 * 1024 * 1024
"""The same for the worker that begins a file: a part that goes whole needs no other thread."""

_PIECE: Final = 256 * 1024
_LINGER_SECONDS: Final = 2.0


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """waitress' channel with another way out and another end.

    * While a worker writes, the I/O thread leaves the socket alone. waitress' own finds it
      writable, may not flush, and spins against the worker for the interpreter lock.
    * It keeps reading while a request runs (one request ahead), so that the worker need not wake
      the I/O thread after every answer.
    * Sending goes in turns, so that a fast client with a large file starves nobody.
    * After a refusal it drains for a moment what the client still sends: closing over unread
      bytes would reset the connection, and the client would never see the answer.
    * WebSocket handshakes leave for the hub.

    ``requests`` and ``request`` are guarded by ``requests_lock``, the buffers by ``outbuf_lock``.
    """

    socket: Any  # a socket.socket; None once closed or handed over
    outbufs: list[Any]
    requests: list[Parser]
    request: Parser | None

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any) -> None:
        self.site: Site = server.site
        self.logger = self.site.log
        self.held = False  # nothing more is read: a refused request, or a handshake
        self.refused = False
        self.half_closed = False  # the client has sent all that it will
        self.writing = False  # a worker is inside write_soon
        self.lingers_until = 0.0
        super().__init__(server, sock, addr, adj, map)
        self.parser_class = partial(Parser, site=self.site)
        self.last_activity = time.monotonic()

    # ---- wishes, asked on the I/O thread

    def readable(self) -> bool:
        if self.lingers_until:
            return True
        return not (
            self.held
            or self.half_closed
            or self.will_close
            or self.close_when_flushed
            or len(self.requests) > self.adj.channel_request_lookahead
            # While a request runs this may be over in a moment, and nobody would tell us.
            or (self.total_outbufs_len and not self.requests)
        )

    def writable(self) -> bool:
        if self.will_close:
            return False
        if self.requests:
            return bool(self.total_outbufs_len) and not self.writing
        return bool(
            self.total_outbufs_len
            or (self.close_when_flushed and not self.lingers_until)
            or self.half_closed
        )

    @property
    def idle(self) -> bool:
        """Nothing is under way: no request whose head has arrived, no answer."""
        partial_request = self.request is not None and self.request.headers_finished
        return not (
            self.requests or self.total_outbufs_len or partial_request or self.lingers_until
        )

    # ---- reading, on the I/O thread

    def handle_read(self) -> None:
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:  # the client is gone
            self.handle_close()
            return
        if data and not self.lingers_until:
            self.last_activity = time.monotonic()
            self.received(data)
        elif not data:
            if self.requests or self.total_outbufs_len:
                self.half_closed = True  # it may still read what it is owed
            else:
                self.handle_close()

    def received(self, data: bytes) -> bool:
        taken: bool = super().received(data)
        last = self.requests[-1] if self.requests else None
        if last is not None and (last.error is not None or last.upgrade):
            self.held = True
        return taken

    # ---- sending, on the I/O thread

    def handle_write(self) -> None:
        if self.total_outbufs_len and not self.will_close and self.outbuf_lock.acquire(False):
            try:
                self._flush_turn()
                if self.total_outbufs_len < self.adj.outbuf_high_watermark:
                    self.outbuf_lock.notify()
            finally:
                self.outbuf_lock.release()
        if self.requests or self.total_outbufs_len or self.will_close:
            return
        if self.close_when_flushed and self.refused and not self.half_closed:
            self._linger()
        elif self.close_when_flushed or self.half_closed:
            self.handle_close()

    def _linger(self) -> None:
        self.lingers_until = time.monotonic() + _LINGER_SECONDS
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def _flush_turn(self, most: int = _TURN) -> None:
        """Sends what the socket takes, at most so many bytes; gives the connection up when it
        cannot go on. Call it with ``outbuf_lock`` held."""
        try:
            self._flush_some(most=most)
        except BodyFailed as error:
            self.logger.warning("An answer to %s was cut off: %s.", self.addr[0], error)
            self._give_up()
        except OSError as error:
            if error.errno not in _DISCONNECTED:
                self.logger.warning("Sending to %s failed: %s.", self.addr[0], error)
            self._give_up()

    def _flush_some(self, do_close: bool = True, most: int = _TURN) -> bool:  # noqa: ARG002  # waitress' signature
        left = most
        while left > 0:
            buffer = self.outbufs[0]
            if not buffer.__len__():  # len() would refuse lengths beyond sys.maxsize
                if len(self.outbufs) == 1:
                    break
                self._close_buffer(self.outbufs.pop(0))
                continue
            if isinstance(buffer, FileBody):
                sent = buffer.send_to(self.socket, left, self.site.scratch)
            else:
                sent = self._send_now(buffer.get(min(left, _PIECE)))
                buffer.skip(sent, True)
            if not sent:
                break
            left -= sent
            self.total_outbufs_len -= sent
        if left == most:
            return False
        self.last_activity = time.monotonic()
        return True

    def _send_now(self, data: bytes) -> int:
        try:
            sent: int = self.socket.send(data)
            return sent
        except BlockingIOError:
            return 0

    def _close_buffer(self, buffer: Any) -> None:
        try:
            buffer.close()
        except Exception:
            self.logger.exception("Closing the body of an answer failed.")

    # ---- the end, on the I/O thread

    def handle_close(self) -> None:
        """Closes the socket, the bodies that were not sent and the requests that were not run."""
        with self.outbuf_lock:
            buffers, self.outbufs = self.outbufs, [OverflowableBuffer(self.adj.outbuf_overflow)]
            for buffer in buffers:
                self._close_buffer(buffer)
            self.total_outbufs_len = 0
            self.connected = False
            self.outbuf_lock.notify_all()
        with self.requests_lock:
            unfinished, self.request = self.request, None
            waiting, self.requests = self.requests[1:], self.requests[:1]
        for request in (unfinished, *waiting):
            if request is not None:
                request.close()
        self.close()

    def check(self, now: float, idle_seconds: float, head_seconds: float) -> None:
        """Closes the connection when its time is up. ``last_activity`` moves with every byte, so
        a request whose worker is busy is left alone, a client that takes nothing is not.

        It does not wait for the socket to be writable, as waitress does: that of a client that
        takes nothing never is."""
        quiet = now - self.last_activity > idle_seconds
        head = self.request
        if self.lingers_until:
            over = now > self.lingers_until
        elif self.requests:
            over = quiet and self.total_outbufs_len > 0
        elif head is not None and not head.headers_finished:
            over = quiet or now - head.started > head_seconds
        else:
            over = quiet
        if over:
            self.handle_close()

    def _give_up(self) -> None:
        """Has the I/O thread close the connection, whatever still waits. Any thread."""
        self.will_close = True
        self.site.poller.call(self.handle_close)

    def del_channel(self, map: Any = None) -> None:
        super().del_channel(map)
        self.server.room()

    # ---- answering, on a worker

    def write_soon(self, data: Any) -> int:
        """Sends, or keeps for the I/O thread what the socket does not take at once; waits while
        more than the high watermark is kept. Raises ClientDisconnected."""
        if not self.connected:
            raise ClientDisconnected
        length: int = data.__len__()
        if not length:
            return 0
        with self.outbuf_lock:
            self.writing = True
            try:
                self._await_room()
                self._put(data, length)
            finally:
                self.writing = False
            owed = self.total_outbufs_len
        if owed:  # outside of the lock, or the I/O thread wakes up only to find it taken
            self.wake()
        return length

    def _put(self, data: Any, length: int) -> None:
        if isinstance(data, FileBody):
            self.outbufs += [data, OverflowableBuffer(self.adj.outbuf_overflow)]
            self.current_outbuf_count = 0
            self.total_outbufs_len += length
            self._flush_turn(_FIRST_TURN)
            return
        if not self.total_outbufs_len:
            try:
                sent = self._send_now(data)
            except OSError as error:
                self._give_up()
                raise ClientDisconnected from error
            self.last_activity = time.monotonic()
            if sent == length:
                return
            data = data[sent:]
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        if self.current_outbuf_count >= self.adj.outbuf_high_watermark:
            self.outbufs.append(OverflowableBuffer(self.adj.outbuf_overflow))
            self.current_outbuf_count = 0
        self.outbufs[-1].append(data)
        self.current_outbuf_count += len(data)
        self.total_outbufs_len += len(data)

    def _await_room(self) -> None:
        while self.connected and self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self.writing = False
            self.wake()
            self.outbuf_lock.wait()
            self.writing = True
        if not self.connected:
            raise ClientDisconnected

    def wake(self) -> None:
        """Has the I/O thread look at this connection again."""
        self.site.poller.changed(self)

    def service(self) -> None:
        """Answers the first request; a further one becomes a task of its own."""
        request = self.requests[0]
        task = self._task(request)
        try:
            if self.connected:
                task.service()
            else:
                task.close_on_finish = True
        except Postponed:
            self._postpone(request)
            return
        except ClientDisconnected:
            self.logger.debug("The client left before %s was answered.", request.path)
            task.close_on_finish = True
        except BaseException:  # SystemExit too: an uncaught one would leave the client waiting
            self.logger.exception("%s %s failed.", request.command, request.path)
            self._answer_failure(task, request)
        if isinstance(task, UpgradeTask) and task.accepted is not None:
            self.site.poller.call(partial(self._hand_over, task.accepted))
        elif task.close_on_finish:
            self._end()
        else:
            self._next(request)
        self.last_activity = time.monotonic()

    def _postpone(self, request: Parser) -> None:
        """The request waits for room in its plugin; this worker is free for others."""
        ticket = request.ticket
        assert ticket is not None
        self.site.waiting.add(ticket)
        if not ticket.queue():
            self.again()

    def again(self) -> None:
        """Has the first request carried out once more. Any thread."""
        self.server.task_dispatcher.add_task(self)

    def _task(self, request: Parser) -> Any:
        if request.error is not None:
            self.refused = True
            return ErrorTask(self, request)
        if request.upgrade:
            self.refused = True
            return UpgradeTask(self, request)
        return WsgiTask(self, request)

    def _answer_failure(self, task: Any, request: Parser) -> None:
        failed: Any = task
        if not task.wrote_header:
            request.error = Refused(500, "INTERNAL_ERROR", "Something unexpected went wrong.")
            failed = ErrorTask(self, request)
            try:
                failed.service()
            except ClientDisconnected:
                self.logger.debug("The client left before %s was answered.", request.path)
        task.close_on_finish = True

    def _end(self) -> None:
        with self.requests_lock:
            self.close_when_flushed = True
            for waiting in self.requests:
                waiting.close()
            self.requests = []
        self.wake()

    def _next(self, request: Parser) -> None:
        if self.current_outbuf_count > 0:  # the next answer begins a buffer of its own
            self.current_outbuf_count = self.adj.outbuf_high_watermark
        request.close()
        with self.requests_lock:
            was_full = len(self.requests) > self.adj.channel_request_lookahead
            self.requests.pop(0)
            if self.connected and self.requests:
                self.server.add_task(self)
            elif self.connected and self._continue_owed():
                self.send_continue()
        if was_full or self.total_outbufs_len or self.half_closed or self.site.stopping:
            self.wake()

    def _continue_owed(self) -> bool:
        request = self.request
        return bool(
            request is not None
            and request.expect_continue
            and request.headers_finished
            and not self.sent_continue
        )

    def send_continue(self) -> None:
        """Asks for the body, unless the client has left meanwhile."""
        try:
            super().send_continue()
        except OSError:
            self._give_up()

    def _hand_over(self, connection: SocketConnection) -> None:
        """Gives the socket to the hub, on the I/O thread."""
        hub = self.site.hub
        if not self.connected:
            hub.discard(connection)
            return
        request = self.requests[0]
        sock, self.socket = self.socket, None
        self.del_channel()
        self.connected = False
        self.requests = []
        hub.adopt(connection, sock, request.surplus)
