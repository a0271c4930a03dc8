"""How often another machine may fail (local REST contract, 3.3)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from plugin_sdk import RateLimited, Request, StageboxError
from plugin_sdk.exposure import network_of

__all__ = ["PeerLimit"]

MAX_FAILURES: Final = 10
WINDOW_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 5.0
"""How long one waits for others of the same machine; a PIN takes a tenth of a second to check."""
_MAX_PEERS: Final = 10_000


@dataclass(slots=True)
class _Peer:
    """``refused``: when its attempts were, of the last minute. ``running`` are under way."""

    refused: deque[float] = field(default_factory=deque)
    running: int = 0


class PeerLimit:
    """Ten refused attempts within a minute from one other machine; further ones are put off.

    Many at once are no more than many in a row: an attempt waits while those under way could use
    up what is left, so that nobody who is let in is ever put off. This machine is exempt: behind
    a proxy everybody comes from it, and the lock of each profile guards that. Kept in memory, by
    each process for itself: it slows guessing down, and no answer depends on its being
    remembered. ``now`` is a monotonic clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._change = threading.Condition()
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    @contextmanager
    def attempt(self, request: Request) -> Iterator[None]:
        """Around an attempt: a refusal (401, 403) inside counts. Raises RateLimited."""
        if request.loopback:
            yield
            return
        network = network_of(request.peer)
        peer = self._begin(network)
        refused = False
        try:
            yield
        except StageboxError as error:
            refused = error.status in (401, 403)
            raise
        finally:
            self._end(network, peer, refused=refused)

    def _begin(self, network: str) -> _Peer:
        with self._change:
            peer = self._peers.setdefault(network, _Peer())
            self._peers.move_to_end(network)
            while len(self._peers) > _MAX_PEERS:
                self._peers.popitem(last=False)
            if not self._change.wait_for(lambda: not self._is_full(peer), WAIT_SECONDS):
                raise RateLimited("Too many attempts from your address at once.", retry_after=1)
            if len(peer.refused) >= MAX_FAILURES:
                wait = peer.refused[0] + WINDOW_SECONDS - self._now()
                raise RateLimited("Too many refused attempts from your address.", retry_after=wait)
            peer.running += 1
            return peer

    def _is_full(self, peer: _Peer) -> bool:
        """Whether it depends on those under way if there may be one more."""
        now = self._now()
        while peer.refused and peer.refused[0] <= now - WINDOW_SECONDS:
            peer.refused.popleft()
        return len(peer.refused) < MAX_FAILURES <= len(peer.refused) + peer.running

    def _end(self, network: str, peer: _Peer, *, refused: bool) -> None:
        with self._change:
            peer.running -= 1
            if refused:
                peer.refused.append(self._now())
            elif not peer.refused and not peer.running and self._peers.get(network) is peer:
                del self._peers[network]
            self._change.notify_all()
