"""Carries texts to every other process on the same databases: in order, none twice.

Nothing here waits for a database but two threads of its own: a sender with a short queue, and a
listener. Signals are not kept, so while the database is away what is published waits in that queue
(the oldest goes when it is full), and is sent when all listeners have had time to come back.

Who listens asks who else does, and everybody who is asked says so: a process that is alone knows
it, and need not publish. One that was killed counts as there until this process ends.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from host.db.signals import MAX_TEXT, Signals
from plugin_sdk import DatabaseUnavailable, Logger

__all__ = ["FanOut"]

MAX_WAITING: Final = 4096
MAX_CHARACTERS: Final = 16 * 1024 * 1024
"""So much waits at most while the database is away."""
_BATCH: Final = 64
_AGAIN_SECONDS: Final = 0.5
_GRACE_SECONDS: Final = 1.5
"""Listeners that lost the database look for it every half second: afterwards all hear again."""
_LISTEN_SECONDS: Final = 30.0
_TIDY_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 2.0
_MAX_PUBLISHERS: Final = 1024

# Said by one fan-out to the others. What is published is JSON, so none of these is taken for it.
_WHO: Final = "who"
_HERE: Final = "here"
_BYE: Final = "bye"
_ANSWER_SECONDS: Final = 1.0
"""So long after hearing its own question a process waits for answers before it takes itself to be
alone; one that has begun to listen cannot have clients any sooner."""


class FanOut:
    """``heard`` is called with each text of another process, on the listener's thread; those of
    one publisher come in the order in which it published them."""

    def __init__(self, signals: Signals, heard: Callable[[str], object], log: Logger) -> None:
        self._signals = signals
        self._heard = heard
        self._log = log
        self._id = secrets.token_hex(8)
        self._change = threading.Condition()
        self._queue: deque[tuple[int, str]] = deque()
        self._characters = 0
        self._number = 0
        self._dropped = 0
        self._last: dict[str, int] = {}
        """The number of the last text of each publisher."""
        self._others: set[str] = set()
        """Publishers that have not said good-bye."""
        self._certain_from = math.inf
        """From when on nobody in ``_others`` means that there is nobody."""
        self._listening = threading.Event()
        self._ended = threading.Event()
        self._sender: threading.Thread | None = None
        self._listener: threading.Thread | None = None

    @property
    def alone(self) -> bool:
        """Whether certainly no other process listens."""
        return not self._others and time.monotonic() >= self._certain_from

    def start(self, *, listen: bool = True) -> None:
        """Begins to carry. ``listen``: also to hear; returns once it does, unless the database
        does not answer."""
        self._sender = threading.Thread(target=self._send_all, name="realtime-out", daemon=True)
        self._sender.start()
        if listen:
            self._listener = threading.Thread(target=self._listen, name="realtime-in", daemon=True)
            self._listener.start()
            self._listening.wait(_LAST_SECONDS)
        else:
            self._listening.set()

    def stop(self) -> None:
        """What still waits is sent, unless that takes more than two seconds."""
        if self._others or (self._number and self._listener is None):
            self.publish(_BYE)
        with self._change:
            self._ended.set()
            self._change.notify_all()
        self._signals.wake()
        for thread in (self._sender, self._listener):
            if thread is not None:
                thread.join(2 * _LAST_SECONDS)
        if not any(each and each.is_alive() for each in (self._sender, self._listener)):
            self._signals.close()

    def publish(self, text: str) -> None:
        """ASCII text, to all other processes; never blocks and never raises. Too long ones are
        named in the log."""
        if len(text) > MAX_TEXT:
            self._log.warning(
                "A realtime message of %d characters stays in this process: %d are the most.",
                *(len(text), MAX_TEXT),
            )
            return
        with self._change:
            if self._ended.is_set() or self._sender is None:
                return
            self._number += 1
            self._queue.append((self._number, text))
            self._characters += len(text)
            while len(self._queue) > MAX_WAITING or self._characters > MAX_CHARACTERS:
                self._characters -= len(self._queue.popleft()[1])
                self._dropped += 1
            self._change.notify_all()

    # The sender

    def _send_all(self) -> None:
        tidy_at = 0.0
        while True:
            with self._change:
                if not self._queue and not self._ended.is_set():
                    pause = max(0.0, tidy_at - time.monotonic()) if tidy_at else None
                    self._change.wait(pause)
                if not self._queue and self._ended.is_set():
                    return
                batch = [self._queue[place] for place in range(min(_BATCH, len(self._queue)))]
            if batch:
                if not self._send(batch):
                    return
                tidy_at = tidy_at or time.monotonic() + _TIDY_SECONDS
            elif tidy_at and time.monotonic() >= tidy_at:
                tidy_at = 0.0
                self._try(self._signals.tidy)

    def _send(self, batch: list[tuple[int, str]]) -> bool:
        """Sends until that succeeds; False when the end comes first."""
        texts = [f"{self._id} {number} {text}" for number, text in batch]
        reported = False
        while not self._try(lambda: self._signals.send(texts), quiet=reported):
            reported = True
            if self._ended.is_set() or not self._wait_for_all():
                return False
        with self._change:
            sent = batch[-1][0]
            while self._queue and self._queue[0][0] <= sent:
                self._characters -= len(self._queue.popleft()[1])
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._log.warning("%d realtime messages did not reach other processes.", dropped)
        return True

    def _wait_for_all(self) -> bool:
        """Until the database is back, and others have noticed it too; False at the end."""
        if self._ended.wait(_AGAIN_SECONDS):
            return False
        while not self._listening.wait(_AGAIN_SECONDS):
            if self._ended.is_set():
                return False
        return not self._ended.wait(_GRACE_SECONDS)

    # The listener

    def _listen(self) -> None:
        reported = False
        while not self._ended.is_set():
            texts: list[str] = []
            if self._try(lambda: texts.extend(self._signals.receive(self._patience())), reported):  # noqa: B023
                if not self._listening.is_set():
                    self.publish(_WHO)
                    self._listening.set()
                reported = False
            else:
                self._certain_from = math.inf
                self._listening.clear()
                reported = True
                self._ended.wait(_AGAIN_SECONDS)
            for text in texts:
                self._take(text)

    def _patience(self) -> float:
        return 0.0 if self._ended.is_set() else _LISTEN_SECONDS

    def _take(self, signal: str) -> None:
        publisher, _, rest = signal.partition(" ")
        number, _, text = rest.partition(" ")
        if publisher == self._id:
            if text == _WHO:
                self._certain_from = time.monotonic() + _ANSWER_SECONDS
            return
        if not number.isdecimal():
            return
        if int(number) <= self._last.get(publisher, 0):
            return  # it was sent again after an error
        self._last.pop(publisher, None)
        self._last[publisher] = int(number)  # the last one spoken to stays the longest
        if len(self._last) > _MAX_PUBLISHERS:
            oldest = next(iter(self._last))
            del self._last[oldest]
            self._others.discard(oldest)
        if text == _BYE:
            self._others.discard(publisher)
            return
        self._others.add(publisher)
        if text == _WHO:
            self.publish(_HERE)
        elif text != _HERE:
            self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        try:
            self._heard(text)
        except Exception as error:  # one message must not cost the others
            self._log.error("A realtime message could not be passed on.", exc_info=error)

    def _try(self, act: Callable[[], object], quiet: bool = False) -> bool:
        try:
            act()
        except DatabaseUnavailable as error:
            if not quiet:
                self._log.warning("Realtime messages do not reach other processes: %s", error)
            return False
        except Exception as error:
            if not quiet:
                self._log.error("Realtime messages do not reach other processes.", exc_info=error)
            return False
        return True
