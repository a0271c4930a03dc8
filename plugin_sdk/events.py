"""Events: what happened, told after the commit to whoever subscribed.

Names are ``<plugin id>.<what happened>`` in the past tense. A change of shape is a new name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

__all__ = ["Event", "Events", "Subscription", "event_handler", "event_names"]

_MARK = "__stagebox_events__"
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Event:
    """``data`` is a JSON object; ``at`` is milliseconds since the epoch; ``source`` the id of the
    plugin that emitted it, or ``host``. ``id`` is unique: a handler that must not act twice on an
    event that is told again after a crash remembers it."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    at: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One handler of one event name; ``*`` at the end of the name stands for any rest."""

    event: str
    handler: Callable[[Event], object]


class Events(Protocol):
    """``context.events``."""

    def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Tells all subscribers, at least once, in the order of emission.

        Inside a transaction of this plugin's database the event is kept with it: handed over
        after the commit, gone on rollback. Outside it is stored by itself before this returns.
        ``name`` must begin with the plugin's own id and a dot; raises Invalid.
        """
        ...

    def settle(self, timeout: float = 5.0) -> bool:
        """Waits until all that this plugin emitted so far has been handled by everybody.

        Returns False when ``timeout`` seconds did not suffice. Not to be called from an event
        handler.
        """
        ...


def event_handler(*names: str) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, event: Event)`` as handler of these events.

    It runs on a thread of the host, one event after the other; what it raises is logged and
    counted, and nobody else notices.
    """

    def mark(handler: _Handler) -> _Handler:
        setattr(handler, _MARK, (*getattr(handler, _MARK, ()), *names))
        return handler

    return mark


def event_names(handler: Callable[..., Any]) -> tuple[str, ...]:
    """The event names that `event_handler` noted on a function."""
    names: tuple[str, ...] = getattr(handler, _MARK, ())
    return names
