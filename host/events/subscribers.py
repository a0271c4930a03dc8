"""Who subscribed to what: an immutable table that is swapped as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from plugin_sdk import Event

__all__ = ["Subscriber", "SubscriberTable"]

_MAX_CACHED: Final = 4096


@dataclass(frozen=True)
class Subscriber:
    """``call`` is called with each event whose name is ``event``, or begins with what stands
    before its trailing ``*``. ``owner`` is the plugin (or ``host``) that it belongs to: calls of
    one owner come one after the other."""

    owner: str
    event: str
    call: Callable[[Event], object]

    def matches(self, name: str) -> bool:
        if self.event.endswith("*"):
            return name.startswith(self.event[:-1])
        return name == self.event

    def may_match(self, source: str) -> bool:
        """Whether some event of this source could match."""
        prefix = f"{source}."
        if self.event.endswith("*"):
            begin = self.event[:-1]
            return begin.startswith(prefix) or prefix.startswith(begin)
        return self.event.startswith(prefix)


class SubscriberTable:
    """All subscribers at one time."""

    def __init__(self, subscribers: Sequence[Subscriber] = ()) -> None:
        self._by_owner: dict[str, list[Subscriber]] = {}
        for subscriber in subscribers:
            self._by_owner.setdefault(subscriber.owner, []).append(subscriber)
        self._names: dict[str, dict[str, tuple[Subscriber, ...]]] = {}

    @property
    def owners(self) -> frozenset[str]:
        return frozenset(self._by_owner)

    def of(self, name: str) -> dict[str, tuple[Subscriber, ...]]:
        """The subscribers of this event by owner, in the order in which they were given; a look-
        up in a dictionary from the second time on."""
        found = self._names.get(name)
        if found is None:
            found = {}
            for owner, subscribers in self._by_owner.items():
                matching = tuple(one for one in subscribers if one.matches(name))
                if matching:
                    found[owner] = matching
            if len(self._names) >= _MAX_CACHED:  # somebody makes up names: keep memory bounded
                self._names = {}
            self._names[name] = found
        return found

    def owners_of_source(self, source: str) -> list[str]:
        """Owners that some event of this source could concern."""
        return [
            owner
            for owner, subscribers in self._by_owner.items()
            if any(one.may_match(source) for one in subscribers)
        ]
