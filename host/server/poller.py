"""The I/O loop's view of its sockets: waitress' socket map, watched without being rebuilt."""

from __future__ import annotations

import selectors
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from waitress.trigger import trigger

from plugin_sdk.context import Logger

__all__ = ["Poller"]

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE


class Poller(dict[int, Any]):
    """A socket map (descriptor -> waitress dispatcher) that also waits for its sockets.

    waitress asks every socket for its wishes before each wait, which costs the more the more
    idle connections there are, and its default ``select`` ends at descriptor 1,023. Here wishes
    are registered and asked again only after something happened to a socket, or when `changed`
    says so. All but `changed`, `call` and `wake` belong to the I/O thread.
    """

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log
        self._selector = selectors.DefaultSelector()
        self._wishes: dict[int, int] = {}
        self._changed: deque[Any] = deque()
        self._calls: deque[Callable[[], object]] = deque()
        self._woken = False
        self._waking = threading.Lock()  # whoever wakes must not write to a closed pipe
        self._closed = False
        self._trigger = trigger(self)

    def __setitem__(self, descriptor: int, item: Any) -> None:
        super().__setitem__(descriptor, item)
        self._changed.append(item)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        if self._wishes.pop(descriptor, 0):
            self._selector.unregister(descriptor)

    def changed(self, item: Any) -> None:
        """Has the wishes of a dispatcher looked at again. Any thread."""
        self._changed.append(item)
        self.wake()

    def call(self, function: Callable[[], object]) -> None:
        """Has something done on the I/O thread. Any thread."""
        self._calls.append(function)
        self.wake()

    def wake(self) -> None:
        """Ends the wait of the I/O thread. Any thread."""
        if self._woken:  # `turn` clears this before it looks at the queues, so none is missed
            return
        with self._waking:
            if not self._closed:
                self._woken = True
                self._trigger.pull_trigger()

    def turn(self, timeout: float) -> None:
        """Waits at most ``timeout`` seconds for something to happen and deals with all of it."""
        self._woken = False
        if self._calls:
            timeout = 0  # what the calls did may be what our caller waits for
        self.carry_out_calls()
        while self._changed:
            self._look_at(self._changed.popleft())
        for key, events in self._selector.select(timeout):
            item: Any = key.data
            if not self._holds(key.fd, item):
                continue  # closed by an earlier event of this turn; the number may be reused
            try:
                if events & _READ:
                    item.handle_read_event()
                if events & _WRITE and self._holds(key.fd, item):
                    item.handle_write_event()
            except Exception:  # whatever a client sent: it must not end the loop
                self._log.exception("Serving a connection failed; it is closed: %r", item)
                item.handle_close()
            self._look_at(item)

    def carry_out_calls(self) -> None:
        """Does what `call` asked for so far."""
        while self._calls:
            function = self._calls.popleft()
            try:
                function()
            except Exception:
                self._log.exception("A call on the I/O thread failed: %r", function)

    def close(self) -> None:
        """Closes the selector; the sockets are closed already."""
        with self._waking:
            self._closed = True
            self._trigger.close()
        self._selector.close()

    def _holds(self, descriptor: int | None, item: Any) -> bool:
        return descriptor is not None and descriptor in self and self[descriptor] is item

    def _look_at(self, item: Any) -> None:
        descriptor = item._fileno
        if not self._holds(descriptor, item):
            return
        wishes = (_READ if item.readable() else 0) | (_WRITE if item.writable() else 0)
        known = self._wishes.get(descriptor, 0)
        if wishes == known:
            return
        if not wishes:
            self._selector.unregister(descriptor)
        elif known:
            self._selector.modify(descriptor, wishes, item)
        else:
            self._selector.register(descriptor, wishes, item)
        self._wishes[descriptor] = wishes
