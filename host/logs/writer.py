"""The thread that writes log lines, and the bounded queue before it."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from host.logs.files import RotatingFile
from host.logs.lines import AccessLine, Line

__all__ = ["Follower", "LogWriter"]

_MAX_WAITING: Final = 8 * 1024 * 1024
_GATHER_SECONDS: Final = 0.05
_BATCH_LINES: Final = 500

Follower = Callable[[Mapping[str, Any]], object]


class LogWriter:
    """Takes lines from any thread and writes them in batches: to the file those of
    ``file_level`` and above, to the stream those of ``stream_level``, and followers are told of
    those that they want.

    At most 8 MiB wait (warnings and errors: twice that); what comes beyond is dropped, counted,
    and reported in the log as soon as there is room. The thread starts with the first line.
    """

    def __init__(
        self, file: RotatingFile | None, stream: TextIO | None, level: int, *, as_json: bool
    ) -> None:
        self.file_level = self.stream_level = level
        self._followers: tuple[tuple[int, Follower], ...] = ()
        self._file = file
        self._stream = stream
        self._as_json = as_json
        self._state = threading.Condition(threading.Lock())
        self._waiting: deque[Line | AccessLine] = deque()
        self._bytes = 0
        self._put = 0
        self._written = 0
        self._urgent = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._file_failed = False
        self.dropped = 0
        self._reported = 0

    def put(self, line: Line | AccessLine) -> None:
        """Never waits for the disk."""
        important = line.level >= logging.WARNING
        with self._state:
            if self._closed:
                return
            if self._bytes + line.size > _MAX_WAITING * (2 if important else 1):
                self.dropped += 1
                return
            first = not self._waiting
            self._waiting.append(line)
            self._bytes += line.size
            self._put += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            elif first:
                self._state.notify_all()
            if line.level >= logging.ERROR and not self._urgent:
                self._urgent = True
                self._state.notify_all()

    def follow(self, level: int, follower: Follower) -> Callable[[], None]:
        """Calls it on the writing thread with each line of the level and above, until what is
        returned is called, or it raises."""
        entry = (level, follower)
        with self._state:
            self._followers = (*self._followers, entry)
        return lambda: self._forget(entry)

    def lowest(self) -> int:
        """The lowest level that anybody wants."""
        levels = [level for level, _ in self._followers]
        if self._file is not None:
            levels.append(self.file_level)
        return min([self.stream_level, *levels])

    @property
    def is_current(self) -> bool:
        """Whether this is the thread that writes."""
        return threading.current_thread() is self._thread

    def flush(self, timeout: float) -> bool:
        """Whether all that was put so far is written."""
        deadline = time.monotonic() + timeout
        with self._state:
            wanted = self._put
            while self._written < wanted:
                self._urgent = True
                self._state.notify_all()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._state.wait(left)
        return True

    def close(self, timeout: float) -> None:
        with self._state:
            self._closed = True
            thread = self._thread
            self._state.notify_all()
        if thread is not None:
            thread.join(timeout)
        elif self._file is not None:
            self._file.close()

    def _run(self) -> None:
        while batch := self._next_batch():
            for start in range(0, len(batch), _BATCH_LINES):
                self._write(batch[start : start + _BATCH_LINES])
            with self._state:
                self._written += len(batch)
                self._state.notify_all()
        if self._file is not None:
            self._file.close()

    def _next_batch(self) -> list[Line | AccessLine]:
        """What waits; empty at the end. Lingers a moment so that busy times cost few writes."""
        with self._state:
            while not self._waiting and not self._closed:
                self._state.wait()
            if not self._urgent and not self._closed:
                self._state.wait_for(lambda: self._urgent or self._closed, _GATHER_SECONDS)
            self._urgent = False
            batch = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            lost = self.dropped - self._reported
            self._reported = self.dropped
        if lost:
            now = batch[-1].time if batch else time.time()
            text = f"{lost} log lines were dropped: they came faster than they could be written."
            batch.append(Line(now, logging.WARNING, "log", text))
            with self._state:
                self._put += 1
        return batch

    def _write(self, lines: Sequence[Line | AccessLine]) -> None:
        if self._file is not None:
            kept = [line for line in lines if line.level >= self.file_level]
            if kept:
                self._write_file("".join(f"{text}\n" for text in _rendered(kept)).encode())
        if self._stream is not None:
            shown = [line for line in lines if line.level >= self.stream_level]
            texts = _rendered(shown) if self._as_json else [line.as_text() for line in shown]
            if texts:
                _write_stream(self._stream, "".join(f"{text}\n" for text in texts))
        for entry in self._followers:
            self._tell(entry, lines)

    def _tell(self, entry: tuple[int, Follower], lines: Sequence[Line | AccessLine]) -> None:
        level, follower = entry
        try:
            for line in lines:
                if line.told and line.level >= level:
                    follower(line.document())
        except Exception as error:
            self._forget(entry)
            text = f"Who followed the log failed, and follows it no more: {error!r}"
            self.put(Line(time.time(), logging.ERROR, "log", text, told=False))

    def _forget(self, entry: tuple[int, Follower]) -> None:
        with self._state:
            self._followers = tuple(each for each in self._followers if each is not entry)

    def _write_file(self, data: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(data)
            self._file_failed = False
        except OSError as error:
            if not self._file_failed:  # said once, until it works again
                self._file_failed = True
                target = self._stream or sys.stderr
                _write_stream(target, f"The log file cannot be written: {error}\n")


def _rendered(lines: Sequence[Line | AccessLine]) -> list[str]:
    try:
        return [line.as_json() for line in lines]
    except Exception as error:  # one odd line must not end the log
        return [Line(lines[0].time, logging.ERROR, "log", f"Lost lines: {error!r}").as_json()]


def _write_stream(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        # Nobody reads it any more (closed, or a broken pipe): there is no place to tell it.
        pass
