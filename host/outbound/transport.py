"""The connections of one client. Importing this module loads httpx: do it when first needed."""

from __future__ import annotations

import ssl
import threading
import time
from typing import Final

import certifi
import httpcore

from host.outbound.addresses import Directory
from host.outbound.answers import Answer, explained
from host.outbound.messages import Message, redirected
from host.outbound.network import Deadline, Network, StaleConnection
from plugin_sdk import UpstreamFailed

__all__ = ["Transport"]

_KEPT_CONNECTIONS: Final = 8
_KEPT_SECONDS: Final = 10.0
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def trusted() -> ssl.SSLContext:
    """Certificates of the system's authorities and of certifi's (a system may have none)."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Transport:
    """Two pools, one without TLS: the list of authorities is loaded only when it is needed."""

    def __init__(
        self,
        directory: Directory,
        *,
        max_at_once: int,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._deadline = Deadline()
        self._network = Network(directory, self._deadline)
        self._places = threading.BoundedSemaphore(max_at_once)
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._closed = False

    def exchange(self, sent: Message, *, timeout: float, max_bytes: int, redirects: int) -> Answer:
        """Sends, follows redirects, and returns the answer at its head; close it."""
        end = time.monotonic() + timeout
        if not self._places.acquire(timeout=timeout):
            raise UpstreamFailed("Too many requests to other servers are under way.")
        try:
            while True:
                answer = Answer(
                    sent,
                    self._sent(sent, end),
                    deadline=self._deadline,
                    end=end,
                    max_bytes=max_bytes,
                )
                following = redirected(sent, answer.status, answer.headers) if redirects else None
                if following is None:
                    break
                answer.close()
                sent, redirects = following, redirects - 1
        except BaseException:
            self._places.release()
            raise
        answer.on_close = self._gone
        return answer

    def close(self) -> None:
        """Closes all connections, also those in use."""
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def _gone(self) -> None:
        """An answer was closed; its connection waits for the next request, unless none comes."""
        self._places.release()
        if self._closed:
            self.close()

    def _sent(self, sent: Message, end: float) -> httpcore.Response:
        pool = self._pool(sent.url.scheme)
        attempts = _KEPT_CONNECTIONS + 1 if sent.method in _IDEMPOTENT else 1
        while True:
            request = sent.to_core()
            request.extensions["timeout"] = {"pool": max(0.0, end - time.monotonic())}
            attempts -= 1
            try:
                with self._deadline.until(end), explained(sent.host):
                    return pool.handle_request(request)
            except StaleConnection as error:
                # A connection that was kept open had been closed from the other side.
                if not attempts:
                    text = f"{sent.host} broke the connection off."
                    raise UpstreamFailed(text) from error

    def _pool(self, scheme: str) -> httpcore.ConnectionPool:
        with self._lock:
            if self._closed:
                raise UpstreamFailed("The plugin is switched off: it sends no requests any more.")
            pool = self._pools.get(scheme)
            if pool is None:
                pool = self._pools[scheme] = self._new_pool(scheme)
            return pool

    def _new_pool(self, scheme: str) -> httpcore.ConnectionPool:
        context = (self._ssl_context or trusted()) if scheme == "https" else None
        return httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=_KEPT_CONNECTIONS,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=self._network,
        )
