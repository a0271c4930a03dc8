"""Ports for servers that are told theirs and take it a moment later, or after a restart."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

__all__ = ["free_ports"]

_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")
_COUNT = 12_000
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """So many of 127.0.0.1 that nobody has, and that were not given before. They lie below those
    that the system gives whoever asks for any, and each process of pytest-xdist has its share of
    them: so the tests of another process do not get one of them meanwhile."""
    low = int(_SYSTEM.read_text().split()[0]) if _SYSTEM.exists() else 32_768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = range(max(1024, low - _COUNT), low)[worker::workers]
    wished = [port for port in share if port not in _given]
    random.SystemRandom().shuffle(wished)
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", wished.pop() if wished else 0))
            except OSError:
                continue
            found.append(int(probe.getsockname()[1]))
    _given.update(found)
    return found
