"""The bus: hands events from the outboxes to the mailboxes.

Two threads: the pump reads (reading never waits for a writer), the sweeper removes what was
handled. Neither polls: both sleep until a commit, a handled event, or a time that one of these
set.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from host.db.engine import HostDatabase
from host.events.channel import Channel
from host.events.mailbox import Lane, Mailbox
from host.events.names import check_event_name, check_pattern, encode_data
from host.events.outbox import Letter
from host.events.subscribers import Subscriber, SubscriberTable
from host.events.sweeper import Sweeper
from plugin_sdk import Clock, DatabaseUnavailable, Event, Events, Invalid, Logger

__all__ = ["EventBus"]

UNNOTICED_SECONDS: Final = 1.0
UNNOTICED_EVENTS: Final = 256
"""Events without subscriber wake nobody before so much time, or so many of them."""
LINGER_SECONDS: Final = 0.002
"""The pump looks again after so long before it sleeps: a burst is handed over in batches, and its
commits do not each switch threads."""
RETRIES: Final = 5
"""So often is a handler called again under which the database failed."""
LONGEST_PAUSE: Final = 1.0
_NEVER: Final = float("inf")


class EventBus:
    """All emitters and subscribers of one host process.

    ``owner`` names this process in the outboxes; ``alive(owner)`` says whether the process of
    that name lives. Without it `recover` takes every row that is not this bus's: right while a
    data directory has one process. ``stuck_seconds``: how long a handler may run before its
    owner is named in the log.
    """

    def __init__(
        self,
        clock: Clock,
        log: Logger,
        *,
        owner: str | None = None,
        alive: Callable[[str], bool] | None = None,
        stuck_seconds: float = 30.0,
    ) -> None:
        self._clock = clock
        self._log = log
        self._owner = owner or uuid.uuid4().hex
        self._alive = alive
        self._lock = threading.Lock()
        self._pump_wake = threading.Condition(self._lock)
        self._progress = threading.Condition(self._lock)
        self._table = SubscriberTable()
        self._channels: dict[str, Channel] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._leaving: list[Mailbox] = []
        self._due: dict[Channel, float] = {}
        self._pump_at = 0.0
        """Until when the pump sleeps; 0 while it is awake and will look by itself."""
        self._lingered = False
        self._state = "new"
        self._pump_thread: threading.Thread | None = None
        self._sweeper = Sweeper(self._lock, log, stuck_seconds, self._boxes)

    # -- what parts above call

    def emitter(self, source: str, database: HostDatabase) -> Events:
        """``context.events`` of a plugin, or of the host (source ``host``)."""
        return _Emitter(self, self._channel(source, database))

    def subscribe(self, subscribers: Sequence[Subscriber]) -> None:
        """Replaces all subscribers. What was emitted before and not yet handled goes to those who
        are subscribed when it is handed over. One whose event is no name or pattern is left out,
        and named in the log: ask `check_pattern` before."""
        table = SubscriberTable([one for one in subscribers if self._usable(one)])
        with self._lock:
            self._table = table
            for owner in self._mailboxes.keys() - table.owners:
                self._leave(self._mailboxes.pop(owner))
            for channel in self._channels.values():
                channel.connect(table, self._mailbox)
                self._schedule(channel, 0.0)
            self._progress.notify_all()

    def recover(self, source: str, database: HostDatabase, *, others: bool = False) -> None:
        """Hands over what dead processes left in that outbox, at the latest when the bus starts.

        To be called before this source emits, unless it is new in this process; and, with
        ``others``, when all who may want to hear are there and whenever another process is found
        dead. It costs one look at the table when nothing is left. Raises
        DatabaseUnavailable.
        """
        channel = self._channel(source, database)
        fresh = channel.fresh and not others

        def is_dead(owner: str) -> bool:
            if owner == self._owner:
                return fresh
            return self._alive is None or not self._alive(owner)

        def reserve(count: int) -> int:
            with self._lock:
                return channel.reserve(count)

        last = channel.outbox.adopt(reserve, is_dead)
        if last:
            with self._lock:
                channel.head = max(channel.head, last)
                self._schedule(channel, 0.0)

    def release(self, source: str) -> None:
        """To be called before a database is dropped, restored from a copy or closed: forgets
        what is not handled yet and leaves the database alone until the next emit or `recover`.
        Handlers that run go on."""
        channel = self._channels.get(source)
        if channel is None:
            return
        self._sweeper.sweep(channel)
        with self._lock:
            channel.reset(channel.outbox.database)
            self._due.pop(channel, None)
            self._sweeper.drop(channel)
            self._progress.notify_all()

    def start(self) -> None:
        """Begins to hand over. A bus is started once."""
        with self._lock:
            if self._state != "new":
                raise RuntimeError("An event bus is started once.")
            self._state = "running"
            for channel in self._channels.values():
                self._schedule(channel, 0.0)
            self._pump_thread = threading.Thread(
                target=self._pump_loop, name="stagebox-events-pump", daemon=True
            )
            self._pump_thread.start()
            self._sweeper.start()

    def stop(self, timeout: float) -> None:
        """Ends after the handlers that run, or after ``timeout`` seconds. What is left stays in
        the outboxes for the next start."""
        deadline = time.monotonic() + timeout
        with self._lock:
            running = self._state == "running"
            self._state = "stopped"
            threads = [("the host", self._pump_thread), ("the host", self._sweeper.thread)]
            for box in self._boxes():
                threads.append((f"plugin {box.owner}", box.thread))
                box.close()
            self._sweeper.stop()
            self._pump_wake.notify_all()
            self._progress.notify_all()
        for owner, thread in threads:
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    self._log.warning("An event thread of %s did not end in time.", owner)
        for channel in list(self._channels.values()) if running else []:
            self._sweeper.sweep(channel)

    # -- emitting

    def _channel(self, source: str, database: HostDatabase) -> Channel:
        with self._lock:
            channel = self._channels.get(source)
            if channel is None:
                channel = self._channels[source] = Channel(source, database, self._owner)
                channel.connect(self._table, self._mailbox)
            elif channel.outbox.database is not database:
                channel.reset(database)
            return channel

    def _emit(self, channel: Channel, name: str, data: str) -> None:
        database = channel.outbox.database
        with self._lock:
            position = channel.reserve(1)
        channel.outbox.append(Letter(position, uuid.uuid4().hex, name, data, self._clock.ms()))
        database.after_commit(partial(self._committed, channel, position, name))

    def _committed(self, channel: Channel, position: int, name: str) -> None:
        with self._lock:
            channel.head = max(channel.head, position)
            channel.unnoticed += 1
            if self._table.of(name) or channel.unnoticed >= UNNOTICED_EVENTS:
                self._schedule(channel, 0.0)
            else:
                self._schedule(channel, time.monotonic() + UNNOTICED_SECONDS)

    def _settle(self, channel: Channel, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._lock:
            upto = channel.head
            self._pump_wake.notify()
            while channel.handled < upto:
                left = deadline - time.monotonic()
                if left <= 0 or self._state == "stopped":
                    return False
                self._schedule(channel, 0.0)
                self._progress.wait(left)
        return True

    # -- handing over

    def _schedule(self, channel: Channel, at: float) -> None:
        """Has the pump visit a channel at that time at the latest (the lock is held)."""
        if self._state == "running" and at < self._due.get(channel, _NEVER):
            self._due[channel] = at
            if at < self._pump_at:
                self._pump_at = at
                self._pump_wake.notify()

    def _pump_loop(self) -> None:
        while (channel := self._next_due()) is not None:
            try:
                self._pump(channel)
                channel.failures["read"] = 0
            except Exception:
                with self._lock:
                    self._schedule(channel, time.monotonic() + channel.failed("read"))
                if channel.failures["read"] == 1:
                    self._log.exception(
                        "Could not read the outbox of %s; trying again.", channel.source
                    )

    def _next_due(self) -> Channel | None:
        with self._lock:
            while self._state == "running":
                now = time.monotonic()
                for channel, at in self._due.items():
                    if at <= now:
                        del self._due[channel]
                        self._lingered = False
                        return channel
                if self._lingered:
                    self._pump_at = min(self._due.values(), default=_NEVER)
                    pause = None if self._pump_at == _NEVER else self._pump_at - now
                else:
                    pause = LINGER_SECONDS  # whoever commits now need not wake us
                    self._lingered = True
                self._pump_wake.wait(pause)
                self._pump_at = 0.0
        return None

    def _pump(self, channel: Channel) -> None:
        """Hands over one batch, so that busy emitters take turns."""
        with self._lock:
            reading = channel.next_read()
        if reading is not None:
            lanes, after, head = reading
            letters = channel.read(after)
        with self._lock:
            if self._state != "running":
                return
            if reading is not None:
                channel.feed(lanes, letters, head, self._table)
                self._sweeper.watch()
            if channel.wants_more():
                self._schedule(channel, 0.0)
            self._advanced(channel)

    def _deliver(self, owner: str, lane: Lane, letter: Letter) -> bool:
        """Calls one owner's subscribers, those of this moment; False when that is not over and
        nobody goes on with it here. Nothing is raised."""
        if self._channels[lane.source].lanes.get(owner) is not lane:
            return (
                True  # its database was released, or nothing of this source concerns the owner now
            )
        for subscriber in self._table.of(letter.name).get(owner, ()):
            tries = 0
            while not self._called(subscriber, lane, letter, last=tries >= RETRIES):
                tries += 1
                if not self._database_is_back(lane):
                    return False
        return True

    def _called(self, subscriber: Subscriber, lane: Lane, letter: Letter, *, last: bool) -> bool:
        """False: the database failed under the handler, and it is to be called again."""
        try:
            data = json.loads(letter.data)
            subscriber.call(Event(letter.name, data, letter.event_id, letter.at, lane.source))
        except BaseException as error:
            if isinstance(error, DatabaseUnavailable) and error.retry_after and not last:
                return False
            self._log.exception(
                "Plugin %s failed to handle event %s of %s (id %s).",
                *(subscriber.owner, letter.name, lane.source, letter.event_id),
            )
        return True

    def _database_is_back(self, lane: Lane) -> bool:
        """Waits until the database from which an event came answers. False when the bus stops
        before, or nothing of this source concerns the owner any more."""
        channel, pause = self._channels[lane.source], 0.05

        def is_over() -> bool:
            current = channel.lanes.get(lane.mailbox.owner) is lane
            return self._state != "running" or not current

        while True:
            with self._lock:
                if self._progress.wait_for(is_over, pause):
                    return False
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                channel.outbox.database.value("SELECT 1")
            except DatabaseUnavailable:
                continue
            return True

    def _mailbox(self, owner: str) -> Mailbox:
        box = self._mailboxes.get(owner)
        if box is None:
            box = self._mailboxes[owner] = Mailbox(
                owner, self._lock, self._deliver, self._taken, self._lane_handled
            )
        return box

    def _usable(self, subscriber: Subscriber) -> bool:
        try:
            check_pattern(subscriber.event)
        except Invalid as error:
            self._log.error("Plugin %s subscribes wrongly: %s", subscriber.owner, error.message)
            return False
        return True

    def _boxes(self) -> list[Mailbox]:
        return [*self._mailboxes.values(), *self._leaving]

    def _leave(self, box: Mailbox) -> None:
        box.close()
        self._leaving = [one for one in self._leaving if one.thread is not None]
        if box.thread is not None:
            self._leaving.append(box)

    def _taken(self, box: Mailbox) -> None:
        """A mailbox has more room (the lock is held)."""
        if box.starved and box.half_empty:
            for source in box.starved:
                self._schedule(self._channels[source], 0.0)
            box.starved.clear()

    def _lane_handled(self, lane: Lane) -> None:
        channel = self._channels[lane.source]
        if channel.lanes.get(lane.mailbox.owner) is lane:
            self._advanced(channel)

    def _advanced(self, channel: Channel) -> None:
        """Something of the channel was handled, perhaps (the lock is held)."""
        self._progress.notify_all()
        if channel.front > channel.swept:
            self._sweeper.plan(channel)


class _Emitter:
    """The SDK's Events for one source."""

    def __init__(self, bus: EventBus, channel: Channel) -> None:
        self._bus = bus
        self._channel = channel

    def emit(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        channel = self._channel
        check_event_name(channel.source, name)
        text = encode_data(name, data)
        database = channel.outbox.database
        if database.in_transaction:
            self._bus._emit(channel, name, text)
        else:
            with database.transaction():
                self._bus._emit(channel, name, text)

    def settle(self, timeout: float = 5.0) -> bool:
        return self._bus._settle(self._channel, timeout)
