"""The WSGI application as granian calls it, with what waitress' side does of its own accord."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from host.plugins.gate import Postponed
from host.server.parser import decoded_path
from host.server.site import Gateway, RenderError
from host.server.waiting import LONGEST_WAIT_SECONDS, WAKE
from host.web.gateway import MEMO, status_line
from host.web.handshake import WebSocketApplication

__all__ = ["HEADER", "WAITING_THREADS", "GranianGateway", "websocket_url"]

WAITING_THREADS: Final = 64
"""Threads that granian has beyond those that answer, for requests that wait."""

HEADER: Final = "Stagebox-WebSocket"
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_WILDCARDS: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104  # to be recognised


def websocket_url(address: str, host: str | None = None) -> str:
    """The URL of WebSockets at ``host:port``; of every interface, the name in a Host header."""
    name, _, port = address.rpartition(":")
    if name in _WILDCARDS:
        found = _HOST.fullmatch(host or "")
        name = found[1] if found else "127.0.0.1"
    return f"ws://{name}:{port}"


class GranianGateway:
    """A WSGI callable around the gateway.

    A WebSocket path is answered with 426 and the address where WebSockets are (``address``,
    ``host:port``). Leading slashes count as one, as everywhere here.

    ``threads`` requests are answered at once. One for which its plugin has no room waits, on one
    of `WAITING_THREADS` further threads, and does not count; when those are taken, or after
    `LONGEST_WAIT_SECONDS`, it is refused (503).
    """

    def __init__(
        self,
        gateway: Gateway,
        upgrades: WebSocketApplication,
        render_error: RenderError,
        address: str,
        *,
        threads: int,
    ) -> None:
        self._turns = threading.BoundedSemaphore(threads)
        self._seats = threading.BoundedSemaphore(WAITING_THREADS)
        self._gateway = gateway
        self._upgrades = upgrades
        self._render_error = render_error
        self._address = address

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith("//"):
            path = environ["PATH_INFO"] = "/" + path.lstrip("/")
        if environ["REQUEST_METHOD"] == "GET":
            decoded = decoded_path(path)
            if self._upgrades.find(decoded) is not None:
                return self._refer(environ, decoded, start_response)
        environ["wsgi.multiprocess"] = True
        environ[MEMO] = {}
        with self._turns:
            body = self._answer(environ, start_response)
        if isinstance(body, list) or hasattr(body, "close"):
            return body
        return _Closable(body)

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        bell = _Bell()
        environ[WAKE] = bell.ring
        until = 0.0
        while True:
            try:
                body: Iterable[bytes] = self._gateway(environ, start_response)
                return body
            except Postponed:
                until = until or time.monotonic() + LONGEST_WAIT_SECONDS
                if not self._wait(bell, until):
                    bell.late = True
                    del environ[WAKE]  # it gets an answer now, whatever that is

    def _wait(self, bell: _Bell, until: float) -> bool:
        """Until there may be room in the plugin; False when there is no more waiting."""
        if not self._seats.acquire(blocking=False):
            return False
        self._turns.release()
        try:
            return bell.heard(until - time.monotonic())
        finally:
            self._seats.release()
            self._turns.acquire()

    def _refer(
        self, environ: dict[str, Any], path: str, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        url = websocket_url(self._address, environ.get("HTTP_HOST"))
        status, headers, body = self._render_error(
            426,
            "UPGRADE_REQUIRED",
            f"WebSockets are served at {url}.",
            path,
            {"Upgrade": "websocket", "Connection": "Upgrade", HEADER: url},
            None,
        )
        start_response(status_line(status), [*headers, ("Content-Length", str(len(body)))])
        return [body]


class _Bell:
    """What a request that waits is woken by."""

    __slots__ = ("_rung", "late")

    def __init__(self) -> None:
        self._rung: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.late = False
        """It waits no longer."""

    def ring(self) -> bool:
        """There may be room now. False for one that is answered without it."""
        self._rung.put(None)
        return not self.late

    def heard(self, seconds: float) -> bool:
        """Waits at most so long for a ring."""
        try:
            self._rung.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return False
        return True


class _Closable:
    """granian calls ``close`` of everything that is no list."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Any:
        return iter(self._body)

    def close(self) -> None:
        """Nothing is held."""
