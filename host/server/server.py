"""The server: waitress' parts under one I/O loop, any number of addresses, WebSockets beside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from waitress.adjustments import Adjustments

from host.server.channel import Channel
from host.server.hub import Hub
from host.server.listener import Listener, resolve
from host.server.poller import Poller
from host.server.process import SwitchInterval, raise_file_limit
from host.server.site import BodyLimit, Gateway, RenderError, Site
from host.server.workers import PATIENCE_SECONDS, Workers
from host.web.handshake import WebSocketApplication
from plugin_sdk.context import Logger

__all__ = ["Server"]

_KIB: Final = 1024
_MIB: Final = 1024 * 1024
_CHECK_SECONDS: Final = 1.0


class Server:
    """Serves a WSGI application, and WebSockets on the same ports. One `start`, one `stop`;
    any number of servers may live in a process.

    * ``listen``: ``host:port`` or ``[v6]:port``, port 0 for any free one.
    * ``threads``: how many requests are answered at once. Those whose body a FileBody sends, and
      WebSockets, take no thread.
    * ``body_limit``, ``render_error``: see `host.server.site`.
    * ``on_bound``: told the addresses once they are listened on.
    * ``connections``: how many there may be at once, WebSockets apart; beyond it the one that has
      been idle longest is closed, if it was idle for a twentieth of ``idle_seconds``.
    * ``idle_seconds``: a connection without a byte in either direction is closed after that long,
      unless a worker is busy with its request. ``head_seconds``: so long may the head of a request
      take. Both are looked at once a second.
    * ``switch_seconds``: how long a thread may keep the interpreter lock while others want it.
      With 8 of 16 threads calculating, the 99th percentile of a trivial answer was 173 ms at
      Python's 5 ms and 36 ms at 0.5 ms; without such threads there was hardly a difference.

    Both this and the limit of open files hold for the whole process; see `host.server.process`.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        listen: Sequence[str],
        threads: int,
        body_limit: BodyLimit,
        render_error: RenderError,
        upgrades: WebSocketApplication,
        log: Logger,
        on_bound: Callable[[Sequence[str]], object] | None = None,
        connections: int = 2000,
        idle_seconds: float = 120.0,
        head_seconds: float = 30.0,
        switch_seconds: float = 0.0005,
    ) -> None:
        self.hub = Hub(log)
        self._log = log
        self._parts = (gateway, body_limit, render_error, upgrades)
        self._site: Site
        self._poller: Poller
        self._workers = Workers("stagebox-http", threads, log)
        self._listen = tuple(listen)
        self._on_bound = on_bound
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._head_seconds = head_seconds
        self._switch_interval = SwitchInterval(switch_seconds)
        self._interval = min(_CHECK_SECONDS, idle_seconds / 4, head_seconds / 4)
        self._listeners: list[Listener] = []
        self._thread: threading.Thread | None = None
        self._drained = threading.Event()
        self._ended = False

    @property
    def addresses(self) -> Sequence[str]:
        """What is listened on, with real ports: ``127.0.0.1:8085``, ``[::1]:8085``."""
        return tuple(listener.address for listener in self._listeners)

    def start(self) -> None:
        """Returns when all addresses are listened on. Raises ConfigurationError when one cannot
        be; then nothing is left running."""
        raise_file_limit()
        self._poller = Poller(self._log)
        self._site = Site(*self._parts, self.hub, self._poller, self._log)
        adj = _adjustments()
        try:
            for address in self._listen:
                for sockinfo in resolve(address):
                    self._listeners.append(self._bind(adj, sockinfo))
        except BaseException:
            self._close_listeners()
            self._poller.close()
            raise
        self._switch_interval.shorten()
        self._workers.start()
        self.hub.start()
        self._thread = threading.Thread(target=self._run, name="stagebox-io", daemon=True)
        self._thread.start()
        if self._on_bound is not None:
            self._on_bound(self.addresses)

    def stop(self, timeout: float = 10.0) -> bool:
        """Refuses new connections at once, finishes the requests that have begun, their bodies
        included, closes idle connections, and WebSockets with 1001, and ends all threads.

        What is not finished after ``timeout`` seconds is cut off. Returns whether all ended in
        time; False means that a thread still runs some plugin's code. A second call does nothing.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        deadline = time.monotonic() + timeout
        self._site.stopping = True
        self._poller.call(self._close_listeners)
        self.hub.end_all()
        clean = self._drained.wait(timeout)
        if not clean:
            self._poller.call(self._cut_off)
            self._drained.wait(1.0)
        clean &= self._workers.stop(max(0.1, deadline - time.monotonic()))
        self._ended = True
        self._poller.wake()
        thread.join()
        clean &= self.hub.stop(max(0.1, deadline - time.monotonic()))
        self._switch_interval.restore()
        return clean

    def _bind(self, adj: Any, sockinfo: Any) -> Listener:
        return Listener(
            self._site,
            self._workers,
            adj,
            sockinfo,
            connections=self._connections,
            spare_seconds=self._idle_seconds / 20,
        )

    # ---- I/O thread

    def _run(self) -> None:
        next_check = 0.0
        while not self._ended:
            try:
                behind = self._workers.behind
                self._poller.turn(PATIENCE_SECONDS if behind else self._interval)
                self._workers.attend()
            except Exception:
                self._log.exception("The I/O loop stumbled; it goes on.")
                time.sleep(0.1)  # should it stumble again and again
            now = time.monotonic()
            if now >= next_check:
                next_check = now + self._interval
                self._check(now)
            if self._site.stopping:
                self._retire()
        self._cut_off()
        self._poller.carry_out_calls()  # hand-overs find their connection closed
        self._poller.close()

    def _channels(self) -> list[Channel]:
        return [item for item in self._poller.values() if isinstance(item, Channel)]

    def _check(self, now: float) -> None:
        self._site.waiting.check(now, all=self._site.stopping)
        for channel in self._channels():
            channel.check(now, self._idle_seconds, self._head_seconds)
            self._poller.changed(channel)
        for listener in self._listeners:
            listener.room()
            self._poller.changed(listener)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _retire(self) -> None:
        for channel in self._channels():
            if channel.idle:
                channel.handle_close()
        if not self._channels():
            self._drained.set()

    def _cut_off(self) -> None:
        for channel in self._channels():
            channel.handle_close()


def _adjustments() -> Any:
    return Adjustments(
        listen="127.0.0.1:0",  # resolved and then not used
        ident="stagebox",
        server_name="localhost",
        channel_request_lookahead=1,
        recv_bytes=64 * _KIB,
        max_request_header_size=64 * _KIB,
        max_request_body_size=1 << 62,  # Parser judges by path
        inbuf_overflow=512 * _KIB,
        outbuf_high_watermark=_MIB,  # so much of a stream waits for a slow client
        outbuf_overflow=4 * _MIB,  # a larger answer waits in a temporary file
        clear_untrusted_proxy_headers=False,  # they are never consulted
    )
