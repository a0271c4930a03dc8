"""``context.events`` in memory."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from plugin_sdk.context import Clock
from plugin_sdk.errors import Invalid
from plugin_sdk.events import Event, Subscription
from plugin_sdk.strict_json import dump_json
from plugin_sdk.testing.transactions import Transactions

__all__ = ["FakeEvents"]

_MAX_ROUNDS: Final = 10_000
_MAX_DATA_BYTES: Final = 256 * 1024
# No dot: what stands before the last one is the plugin that tells.
_WHAT: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class FakeEvents:
    """``context.events`` in tests: keeps what was emitted and hands it over when told to::

        board.add(request(body=SOUND))
        assert [event.name for event in context.events.emitted] == ["example.soundboard.added"]

        context.events.receive("rooms.deleted", {"room": "room-1"})   # from another plugin

    As in the host an event waits for the commit and is gone on rollback. `deliver` hands the
    plugin's own events to its handlers; handlers come from ``context.start(plugin)`` or
    `subscribe`.
    """

    def __init__(
        self, plugin_id: str, transactions: Transactions, clock: Clock, log: logging.Logger
    ) -> None:
        self.emitted: list[Event] = []
        """What was emitted and committed, oldest first."""
        self._plugin_id = plugin_id
        self._transactions = transactions
        self._clock = clock
        self._log = log
        self._undelivered: list[Event] = []
        self._subscriptions: list[Subscription] = []
        self._number = 0

    def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        prefix = self._plugin_id + "."
        if not name.startswith(prefix) or not _WHAT.fullmatch(name.removeprefix(prefix)):
            raise Invalid(
                f'The event "{name}" must be named "{prefix}<what_happened>", in lower-case words '
                "joined by underscores."
            )
        event = self._event(name, data, self._plugin_id)
        self._transactions.after_commit(lambda: self._keep(event))

    def settle(self, timeout: float = 5.0) -> bool:
        """Hands over what waits. What handlers raise is logged, as in the host."""
        self._hand_over()
        return True

    def subscribe(self, event: str, handler: Callable[[Event], object]) -> None:
        """Adds a handler of a test's own; ``*`` at the end of the name stands for any rest."""
        self._subscriptions.append(Subscription(event, handler))

    def connect(self, subscriptions: Iterable[Subscription]) -> None:
        """Adds a plugin's handlers: ``context.events.connect(plugin.subscriptions())``."""
        self._subscriptions.extend(subscriptions)

    def disconnect(self) -> None:
        """Forgets all handlers."""
        self._subscriptions.clear()

    def deliver(self) -> list[Event]:
        """Hands committed events to their handlers, in order, and those that the handlers emit
        too; returns them. Every handler is asked; then the first exception is raised again."""
        delivered, errors = self._hand_over()
        if errors:
            raise errors[0]
        return delivered

    def receive(
        self, name: str, data: Mapping[str, Any] | None = None, *, source: str | None = None
    ) -> Event:
        """Hands an event of anybody to the handlers at once, and raises what they raise.

        ``source`` defaults to the name up to its last dot."""
        event = self._event(name, data, source or name.rpartition(".")[0])
        errors = self._tell(event)
        if errors:
            raise errors[0]
        return event

    def clear(self) -> None:
        """Forgets what was emitted so far."""
        self.emitted.clear()
        self._undelivered.clear()

    def _event(self, name: str, data: Mapping[str, Any] | None, source: str) -> Event:
        if not isinstance(data, Mapping | None):
            raise Invalid(f"The data of {name} must be a JSON object.")
        text = dump_json(dict(data or {}))
        if len(text.encode()) > _MAX_DATA_BYTES:
            raise Invalid(f"The data of {name} are larger than {_MAX_DATA_BYTES} bytes.")
        self._number += 1
        return Event(name, json.loads(text), f"event-{self._number}", self._clock.ms(), source)

    def _keep(self, event: Event) -> None:
        self.emitted.append(event)
        self._undelivered.append(event)

    def _hand_over(self) -> tuple[list[Event], list[Exception]]:
        delivered: list[Event] = []
        errors: list[Exception] = []
        while self._undelivered:
            if len(delivered) >= _MAX_ROUNDS:
                raise RuntimeError(f"Handlers go on emitting: {_MAX_ROUNDS} events and no end.")
            event = self._undelivered.pop(0)
            errors += self._tell(event)
            delivered.append(event)
        return delivered, errors

    def _tell(self, event: Event) -> list[Exception]:
        errors = []
        for subscription in list(self._subscriptions):
            if _matches(subscription.event, event.name):
                try:
                    subscription.handler(event)
                except Exception as error:  # a handler may raise anything; the rest go on
                    self._log.exception("A handler of %s raised.", event.name)
                    errors.append(error)
        return errors


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
