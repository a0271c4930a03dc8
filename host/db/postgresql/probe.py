"""Whether a server is there at all: what to ask when it does not answer.

A statement may take long, and a server that was cut off looks the same from here: packets that
are swallowed are no error for minutes. So whoever has waited for a while asks at another door.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SILENCE_SECONDS", "Peer", "Probe", "peer_of"]

SILENCE_SECONDS: Final = 2.0
"""So long nobody asks; so long an answer may take."""

# Asks whether TLS is spoken; every server says yes or no before it wants to know who asks:
# https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest
_REQUEST: Final = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: what `socket.socket` and its ``connect`` take."""

    family: int
    address: Any


def peer_of(descriptor: int) -> Peer:
    """Raises OSError when the connection has ended already."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        return Peer(connection.family, connection.getpeername())


class Probe:
    """Asks for all connections of a process; one asks, those who wait with it share the answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[Peer, tuple[float, bool]] = {}

    def answers(self, peer: Peer, since: float) -> bool:
        """Whether somebody is there; within two seconds. An answer to somebody else that came
        after ``since`` (of `time.monotonic`) will do."""
        with self._lock:
            at, answered = self._last.get(peer, (0.0, True))
            if at <= since:
                answered = _ask(peer)
                self._last = {peer: (time.monotonic(), answered)}
            return answered


def _ask(peer: Peer) -> bool:
    try:
        with socket.socket(peer.family, socket.SOCK_STREAM) as connection:
            deadline = time.monotonic() + SILENCE_SECONDS
            connection.settimeout(SILENCE_SECONDS)
            connection.connect(peer.address)
            connection.sendall(_REQUEST)
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            connection.recv(1)
    except (ConnectionResetError, BrokenPipeError, BlockingIOError):
        return True  # somebody who does not like the question, or has no time to take it
    except OSError:  # no answer in time, refused, no way there
        return False
    return True
