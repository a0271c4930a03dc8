"""How often each address may ask (media contract, 4.3). Counted in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

__all__ = ["Count", "RateLimiter", "counted_as", "listed_proxies", "peer_behind"]

_MAX_KEYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Count:
    """Where an address stands. ``ends`` is the end of its window in milliseconds since the
    epoch."""

    number: int
    limit: int
    ends: int

    @property
    def exceeded(self) -> bool:
        return self.number > self.limit

    def headers(self) -> dict[str, str]:
        """``X-RateLimit-*``; Reset in whole seconds since the epoch, rounded up."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.number)),
            "X-RateLimit-Reset": str(-(-self.ends // 1000)),
        }

    def seconds_left(self, now: int) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -(-(self.ends - now) // 1000))


class RateLimiter:
    """Fixed windows, each beginning with the first counted request of its key. Holds at most
    100,000 keys: beyond that, the window that began first is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Key: (beginning in milliseconds, requests), the earliest beginning first."""

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, key: str, now: int, window: int, limit: int) -> Count:
        """Counts a request; ``now`` in milliseconds since the epoch, ``window`` in milliseconds.

        A clock that was set back begins the window anew."""
        with self._lock:
            began, number = self._windows.get(key, (now, 0))
            if not began <= now < began + window:
                del self._windows[key]
                began, number = now, 0
            number += 1
            if number == 1:
                self._drop_ended(now, window)
            self._windows[key] = (began, number)
            return Count(number, limit, began + window)

    def _drop_ended(self, now: int, window: int) -> None:
        windows = self._windows
        while windows:
            key, (began, _) = next(iter(windows.items()))
            if len(windows) < _MAX_KEYS and began <= now < began + window:
                return
            del windows[key]


@lru_cache(maxsize=4096)
def counted_as(peer: str) -> str:
    """The key of an address: an IPv6 address counts with its whole /64, of which a single client
    has as many as it wants."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def listed_proxies(texts: Iterable[str]) -> frozenset[str]:
    """Addresses of proxies, whichever way they are written; what is no address is none."""
    return frozenset(found for each in texts if (found := _canonical(each.strip())) is not None)


def peer_behind(peer: str, forwarded: str | None, trusted: frozenset[str]) -> str:
    """Whom a trusted proxy speaks for: the last address of X-Forwarded-For that is no proxy of
    ours. What others claim is not looked at, nor what is no address."""
    if forwarded is None or _canonical(peer) not in trusted:
        return peer
    for text in reversed(forwarded.split(",")):
        address = _canonical(text.strip())
        if address is None:
            return peer
        if address not in trusted:
            return address
    return peer


def _canonical(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
