"""How many logins may wait at once, and how often another machine may fail (local REST contract,
3.3)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from plugin_sdk import Clock, RateLimited, Request, Settings, StageboxError
from plugin_sdk.exposure import network_of

__all__ = ["PeerLimit", "Places"]

MAX_FAILURES: Final = 10
WINDOW_MS: Final = 60_000
_MAX_PEERS: Final = 10_000


class Places:
    """``maxConcurrentLogins``: logins of this process that wait for a signaling server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises RateLimited when all are taken."""
        allowed: int = self._settings["maxConcurrentLogins"]
        with self._lock:
            if self._taken >= allowed:
                raise RateLimited("Too many logins wait for a signaling server.", retry_after=1)
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1


class PeerLimit:
    """Ten failed logins within a minute from one other machine; further ones are put off.

    An attempt counts as failed from its beginning until it succeeds, so that many at once are no
    more than many in a row. Kept in memory, by each process for itself. This machine is exempt.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: OrderedDict[str, list[int]] = OrderedDict()

    @contextmanager
    def attempt(self, request: Request) -> Iterator[None]:
        """Around an attempt; only a refusal (401, 403) inside stays counted. Raises
        RateLimited."""
        if request.loopback:
            yield
            return
        peer = network_of(request.peer)
        began = self._begin(peer)
        try:
            yield
        except StageboxError as error:
            if error.status not in (401, 403):
                self._forgive(peer, began)
            raise
        except BaseException:
            self._forgive(peer, began)
            raise
        self._forgive(peer, began)

    def _begin(self, peer: str) -> int:
        now = self._clock.ms()
        with self._lock:
            # A clock that was set back must not put anybody off for longer than the window.
            recent = [at for at in self._attempts.get(peer, ()) if now - WINDOW_MS < at <= now]
            if len(recent) >= MAX_FAILURES:
                self._attempts[peer] = recent
                wait = (min(recent) + WINDOW_MS - now) / 1000
                raise RateLimited("Too many failed logins from your address.", retry_after=wait)
            self._attempts[peer] = [*recent, now]
            self._attempts.move_to_end(peer)
            while len(self._attempts) > _MAX_PEERS:
                self._attempts.popitem(last=False)
        return now

    def _forgive(self, peer: str, began: int) -> None:
        with self._lock:
            attempts = self._attempts.get(peer, [])
            if began in attempts:
                attempts.remove(began)
            if not attempts:
                self._attempts.pop(peer, None)
