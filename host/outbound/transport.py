"""The connections of one client. Importing this module loads httpx: do it when first needed."""

from __future__ import annotations

import ssl
import threading
import time
from functools import partial
from typing import Final

import certifi
import httpcore

from host.outbound.addresses import Directory
from host.outbound.answers import Answer, explained
from host.outbound.messages import Message, redirected
from host.outbound.network import Deadline, Network, StaleConnection
from host.outbound.pool import KEPT_CONNECTIONS, Pool
from plugin_sdk import UpstreamFailed

__all__ = ["Transport"]

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def trusted() -> ssl.SSLContext:
    """Certificates of the system's authorities and of certifi's (a system may have none)."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Transport:
    """Sends over kept connections. ``places``: each request takes one while it runs. The list of
    authorities is loaded only when it is needed."""

    def __init__(
        self,
        directory: Directory,
        *,
        places: threading.BoundedSemaphore,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._deadline = Deadline()
        self._places = places
        network = Network(directory, self._deadline)
        self._pool = Pool(network, trusted if ssl_context is None else lambda: ssl_context)

    def exchange(self, sent: Message, *, timeout: float, max_bytes: int, redirects: int) -> Answer:
        """Sends, follows redirects, and returns the answer at its head; close it."""
        end = time.monotonic() + timeout
        if not self._places.acquire(timeout=timeout):
            raise UpstreamFailed("Too many requests to other servers are under way.")
        try:
            while True:
                response, connection = self._sent(sent, end)
                answer = Answer(
                    sent, response, deadline=self._deadline, end=end, max_bytes=max_bytes
                )
                answer.on_close = partial(self._pool.give_back, connection)
                following = redirected(sent, answer.status, answer.headers) if redirects else None
                if following is None:
                    break
                answer.close()
                sent, redirects = following, redirects - 1
        except BaseException:
            self._places.release()
            raise
        answer.on_close = partial(self._gone, connection)
        return answer

    def close(self) -> None:
        """Closes all connections, also those in use."""
        self._pool.close()

    def _gone(self, connection: httpcore.HTTPConnection) -> None:
        """An answer was closed; its connection waits for the next request."""
        self._places.release()
        self._pool.give_back(connection)

    def _sent(self, sent: Message, end: float) -> tuple[httpcore.Response, httpcore.HTTPConnection]:
        request = sent.to_core()
        origin = request.url.origin
        attempts = KEPT_CONNECTIONS + 1 if sent.method in _IDEMPOTENT else 1
        while True:
            connection = self._pool.take(origin)
            attempts -= 1
            try:
                with self._deadline.until(end), explained(sent.host):
                    return connection.handle_request(request), connection
            except StaleConnection as error:
                # A connection that was kept open had been closed from the other side.
                self._pool.give_back(connection)
                if not attempts:
                    text = f"{sent.host} broke the connection off."
                    raise UpstreamFailed(text) from error
            except BaseException:
                self._pool.give_back(connection)
                raise
