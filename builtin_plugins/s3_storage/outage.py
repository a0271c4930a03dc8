"""What is known of a store that is away, so that not every caller waits for it in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable

from plugin_sdk import ProviderUnavailable

__all__ = ["Outage"]


class Outage:
    """While the store is away, one caller at a time tries it; the others are told at once.

    ``rest`` is how long nobody tries after a failure, ``attempt`` how long a try may take;
    ``now`` is a monotonic clock, all in seconds.
    """

    def __init__(self, rest: float, attempt: float, now: Callable[[], float]) -> None:
        self._rest = rest
        self._attempt = attempt
        self._now = now
        self._lock = threading.Lock()
        self._sentence: str | None = None
        self._until = 0.0

    @property
    def sentence(self) -> str | None:
        """Why the store is away; None when it is not."""
        return self._sentence

    def enter(self) -> None:
        """Before a request; raises ProviderUnavailable when it would be in vain."""
        if self._sentence is None:
            return
        with self._lock:
            if self._sentence is None:
                return
            now = self._now()
            if now < self._until:
                raise ProviderUnavailable(self._sentence, retry_after=self._rest)
            self._until = now + self._attempt

    def over(self) -> None:
        """The store has answered, whatever it said."""
        if self._sentence is not None:
            with self._lock:
                self._sentence = None

    def begin(self, sentence: str) -> ProviderUnavailable:
        """The store could not be reached; returns the error to raise."""
        with self._lock:
            self._sentence = sentence
            self._until = self._now() + self._rest
        return ProviderUnavailable(sentence, retry_after=self._rest)
