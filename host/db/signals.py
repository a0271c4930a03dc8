"""Signals: short texts from every process on the databases of an engine to every other one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

__all__ = ["MAX_TEXT", "Signals"]

MAX_TEXT: Final = 1024 * 1024
"""Characters of one text, at most."""


class Signals(Protocol):
    """Nothing is kept: who does not listen when a text is sent never hears it. One thread sends,
    one receives; the other methods may be called from anywhere. Raises DatabaseUnavailable."""

    def send(self, texts: Sequence[str]) -> None:
        """Sends ASCII texts in this order. When it raises some or all may have been sent, and an
        error that was mended may have sent them twice: give them something by which a listener
        knows them again."""
        ...

    def receive(self, seconds: float) -> list[str]:
        """What was sent by every process, this one included, since the call before; waits at most
        so long for something. The first call, and the first after an error, begins to listen and
        returns at once."""
        ...

    def wake(self) -> None:
        """Has a `receive` that waits return."""
        ...

    def tidy(self) -> None:
        """Removes what everybody has had time to hear. To be called now and then."""
        ...

    def close(self) -> None:
        """When neither of the two threads is at it any more."""
        ...
