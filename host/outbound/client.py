"""``context.http``: requests to other servers, with the limits of a well-behaved plugin."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from host.outbound.addresses import Directory, Resolve, resolve
from plugin_sdk import Http, HttpReply, HttpStream, Invalid, UpstreamFailed

if TYPE_CHECKING:
    from host.outbound.transport import Transport

__all__ = ["OutboundClient"]

_MAX_AT_ONCE: Final = 128
"""Requests of one plugin at a time. Each costs a socket and a piece of its answer, while the thread
is the plugin's own: so this is no budget but a last bound, well above what plugins let their
administrators choose. What is beyond it waits for its turn."""


class OutboundClient(Http):
    """The client of one plugin: connections are its own, so that nobody uses one that was opened
    to an address which he may not talk to.

    At most ``max_at_once`` requests run at a time; further ones wait within their time-out.
    ``resolve`` and ``ssl_context`` are for tests. Close it when the plugin is switched off.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        user_agent: str = "stagebox",
        max_at_once: int = _MAX_AT_ONCE,
        resolve: Resolve = resolve,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._user_agent = user_agent
        self._places = threading.BoundedSemaphore(max_at_once)
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._transports: dict[bool, Transport] = {}  # by whether private addresses are allowed
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout: float = 10.0,
        max_bytes: int = 4 * 1024 * 1024,
        redirects: int = 0,
        private: bool = True,
    ) -> HttpReply:
        from host.outbound.messages import message

        sent = message(
            method,
            url,
            headers=headers,
            query=query,
            json=json,
            content=content,
            user_agent=self._user_agent,
            compressed=True,
        )
        answer = self._ready(private).exchange(
            sent, timeout=_positive(timeout), max_bytes=max_bytes, redirects=redirects
        )
        try:
            return HttpReply(answer.status, answer.headers, answer.read(), answer.url)
        finally:
            answer.close()

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float = 60.0,
        max_bytes: int = 1024 * 1024 * 1024,
        redirects: int = 0,
        private: bool = True,
    ) -> Iterator[HttpStream]:
        from host.outbound.messages import message

        sent = message(
            method,
            url,
            headers=headers,
            query=query,
            json=None,
            content=content,
            user_agent=self._user_agent,
            compressed=False,
        )
        answer = self._ready(private).exchange(
            sent, timeout=_positive(timeout), max_bytes=max_bytes, redirects=redirects
        )
        try:
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        """Closes all connections; requests that run fail, later ones are refused."""
        with self._lock:
            self._closed = True
            transports = [*self._transports.values()]
        for each in transports:
            each.close()

    def _ready(self, private: bool) -> Transport:
        # httpx is loaded with the first request: it costs a tenth of a second.
        from host.outbound.transport import Transport

        allow = private and self._allow_private
        with self._lock:
            if self._closed:
                raise UpstreamFailed("The plugin is switched off: it sends no requests any more.")
            if allow not in self._transports:  # never both: connections are kept
                self._transports[allow] = Transport(
                    Directory(allow_private=allow, resolve=self._resolve),
                    places=self._places,
                    ssl_context=self._ssl_context,
                )
            return self._transports[allow]


def _positive(seconds: float) -> float:
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise Invalid("A time-out is a positive number of seconds.")
    return seconds
