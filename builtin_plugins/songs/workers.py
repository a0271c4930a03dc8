"""The pool of processes that read songs (songs contract, 4.4 and 13)."""

from __future__ import annotations

import os
import pickle
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final

from builtin_plugins.songs.reading import READING_SECONDS, Reading, read_song
from builtin_plugins.songs.reading_process import LENGTH, send
from builtin_plugins.songs.walking import Candidate
from plugin_sdk import Logger, SongFormat

__all__ = ["ReadingPool"]

_START_SECONDS: Final = 60.0
_TOO_LONG: Final = Reading(message="Reading took too long and was stopped.")
_CRASHED: Final = Reading(message="Reading it ended the process that read it.")
_CHUNK: Final = 1 << 16
_LOOK_SECONDS: Final = 0.2
"""How often a wait looks whether it shall end."""


class _Ended(Exception):
    """The process ended, or did not answer in time."""


class _Process:
    """One process, used by one thread."""

    def __init__(self, pickles: dict[str, bytes], stopping: threading.Event) -> None:
        self._stopping = stopping
        self._process = subprocess.Popen(
            [sys.executable, "-m", "builtin_plugins.songs.reading_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            self.readers = frozenset(self.ask(pickles, _START_SECONDS))
        except BaseException:
            self.kill()
            raise

    def ask(self, value: Any, seconds: float) -> Any:
        """Raises _Ended, and TimeoutError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            send(stdin, value)  # type: ignore[arg-type]
        except OSError:
            raise _Ended from None
        head = self._read(stdout, LENGTH.size, seconds)  # type: ignore[arg-type]
        content = self._read(stdout, LENGTH.unpack(head)[0], seconds)  # type: ignore[arg-type]
        return pickle.loads(content)  # noqa: S301 - of our own process

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                continue  # what was still to be written to it

    def _read(self, stream: BinaryIO, size: int, seconds: float) -> bytes:
        parts: list[bytes] = []
        waited = 0.0
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        while size:
            if not poll.poll(_LOOK_SECONDS * 1000):
                waited += _LOOK_SECONDS
                if self._stopping.is_set():
                    raise _Ended
                if waited >= seconds:
                    raise TimeoutError
                continue
            part = os.read(stream.fileno(), min(size, _CHUNK))
            if not part:
                raise _Ended
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class ReadingPool:
    """Reads candidates in ``workers`` processes; a context manager that ends them.

    Formats that cannot be sent to another process are read in threads of this one.
    """

    def __init__(
        self,
        formats: Sequence[SongFormat],
        root: str,
        workers: int,
        log: Logger,
        seconds: float = READING_SECONDS,
    ) -> None:
        self._formats = {each.name: each for each in reversed(formats)}
        self._root = root
        self._log = log
        self._seconds = seconds
        self._pickles = self._pickled()
        self._tasks: queue.SimpleQueue[Candidate | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Candidate, Reading]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._current = ""
        self._threads = [
            threading.Thread(target=self._work, name=f"songs-reading-{number}", daemon=True)
            for number in range(workers)
        ]

    def __enter__(self) -> ReadingPool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for _thread in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def current(self) -> str:
        """The path of the song last begun."""
        return self._current

    def read(
        self, candidates: Iterable[Candidate], pause: float
    ) -> Iterator[tuple[Candidate, Reading] | None]:
        """Readings as they come, each once; None whenever nothing came for ``pause`` seconds."""
        left = 0
        for candidate in candidates:
            self._tasks.put(candidate)
            left += 1
        while left:
            try:
                result = self._results.get(timeout=pause)
            except queue.Empty:
                yield None
                continue
            left -= 1
            yield result

    def _pickled(self) -> dict[str, bytes]:
        pickles: dict[str, bytes] = {}
        for name, each in self._formats.items():
            try:
                pickles[name] = pickle.dumps(each)
            except Exception as error:  # whatever its __reduce__ raises
                self._log.warning("Songs of format %s are read in this process: %r", name, error)
        return pickles

    def _work(self) -> None:
        process: _Process | None = None
        try:
            while (task := self._tasks.get()) is not None and not self._stopping.is_set():
                self._current = task.path
                process, reading = self._take(process, task)
                self._results.put((task, reading))
        finally:
            if process is not None:
                process.kill()

    def _take(self, process: _Process | None, task: Candidate) -> tuple[_Process | None, Reading]:
        try:
            if task.format in self._pickles and process is None:
                process = _Process(self._pickles, self._stopping)
            if process is None or task.format not in process.readers:
                return process, self._here(task)
            values = (task.format, task.path, self._root, task.mtime)
            reading: Reading = process.ask(values, self._seconds)
            return process, reading
        except (TimeoutError, _Ended) as error:
            if process is not None:
                process.kill()
            return None, _TOO_LONG if isinstance(error, TimeoutError) else _CRASHED
        except Exception as error:  # nothing may be left without a result
            self._log.exception("A song could not be handed to a process.")
            return process, Reading(message="The song cannot be read.", fault=repr(error))

    def _here(self, task: Candidate) -> Reading:
        """In a thread that is left behind when it takes too long."""
        reader = self._formats[task.format]
        found: queue.SimpleQueue[Reading] = queue.SimpleQueue()

        def read() -> None:
            found.put(read_song(reader, task.path, self._root, task.mtime))

        threading.Thread(target=read, name="songs-reading-here", daemon=True).start()
        try:
            return found.get(timeout=self._seconds)
        except queue.Empty:
            return _TOO_LONG
