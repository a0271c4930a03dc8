"""Beginning and end of the local API, told to plugins that want to know."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from plugin_sdk import Hooks

__all__ = ["Announcer"]


class Announcer:
    """Calls ``local_api_started`` and ``local_api_stopped`` in turns, whoever asks how often.

    Until it serves, a host names the addresses of its last life; a beginning at other addresses
    ends that one."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._addresses: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def start(self, addresses: Sequence[str]) -> None:
        """Does nothing without an address: then nobody listens yet."""
        before = self._change(tuple(addresses))
        if before and addresses and before != tuple(addresses):
            self._hooks.call("local_api_stopped")
        if addresses and before != tuple(addresses):
            self._hooks.call("local_api_started", addresses=tuple(addresses))

    def stop(self) -> None:
        with self._lock:
            before, self._addresses = self._addresses, ()
        if before:
            self._hooks.call("local_api_stopped")

    def _change(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        with self._lock:
            before = self._addresses
            self._addresses = addresses or before
            return before
