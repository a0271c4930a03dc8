"""Asking readers while the song folder is walked through: one that hangs holds up nothing but its
own songs (songs contract, 13)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from plugin_sdk import Context, SongFormat, SongSource, StageboxError
from plugin_sdk.management import PluginManagement

__all__ = ["Asker", "Silent", "trusted_formats"]

_LOOK_SECONDS: Final = 0.2
_T = TypeVar("_T")


class Silent(Exception):
    """A reader does not answer. ``first`` is its first time: from then on it is not asked."""

    def __init__(self, format: str, *, first: bool) -> None:
        super().__init__(format)
        self.format = format
        self.first = first


class Asker:
    """Asks in a thread of its own, which is left behind with the question that takes longer than
    ``seconds``; a context manager. ``check`` is called from time to time while an answer is
    awaited. What a reader raises is raised.

    What it has from `SongFormat` itself is asked directly, and so are the formats in ``trusted``:
    they do not hang, and a thread between costs twice the walk of a folder.
    """

    def __init__(
        self, seconds: float, check: Callable[[], None], trusted: Container[str] = ()
    ) -> None:
        self._seconds = seconds
        self._check = check
        self._trusted = trusted
        self._silent: set[str] = set()
        self._thread: _Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.end()

    def claims(self, reader: SongFormat, path: Path, files: Sequence[str] | None) -> bool:
        """Raises Silent."""
        if reader.name in self._trusted or _is_own(reader.claims, SongFormat.claims):
            return reader.claims(path, files)
        return self._answer(reader.name, partial(reader.claims, path, files))

    def signature(self, reader: SongFormat, source: SongSource) -> str:
        """Raises Silent."""
        if reader.name in self._trusted or _is_own(reader.signature, SongFormat.signature):
            return reader.signature(source)
        return self._answer(reader.name, partial(reader.signature, source))

    def _answer(self, format: str, question: Callable[[], _T]) -> _T:
        if format in self._silent:
            raise Silent(format, first=False)
        if self._thread is None:
            self._thread = _Thread()
        answers = self._thread.ask(question)
        waited = 0.0
        while waited < self._seconds:
            pause = min(_LOOK_SECONDS, self._seconds - waited)
            try:
                answer, error = answers.get(timeout=pause)
            except queue.Empty:
                waited += pause
                self._check()
                continue
            if error is not None:
                raise error
            found: _T = answer
            return found
        self._thread.abandon()
        self._thread = None
        self._silent.add(format)
        raise Silent(format, first=True)


class _Thread:
    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="songs-asking", daemon=True)
        self._thread.start()

    def ask(
        self, question: Callable[[], Any]
    ) -> queue.SimpleQueue[tuple[Any, BaseException | None]]:
        self._questions.put(question)
        return self._answers

    def end(self) -> None:
        self.abandon()
        self._thread.join(_LOOK_SECONDS)  # it has nothing to do, unless a run was stopped

    def abandon(self) -> None:
        """It ends when it has its answer."""
        self._questions.put(None)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            try:
                self._answers.put((question(), None))
            except BaseException as error:
                self._answers.put((None, error))


def trusted_formats(context: Context) -> frozenset[str]:
    """Names of those that come with the host."""
    try:
        plugins: PluginManagement = context.services.get("host.plugins")
    except StageboxError:  # a host that tells nothing of its plugins
        return frozenset()
    bundled = {each.id for each in plugins.entries() if each.bundled}
    entries = context.providers.entries("song_format")
    return frozenset(each.name for each in entries if each.plugin_id in bundled)


def _is_own(method: Callable[..., Any], own: Callable[..., Any]) -> bool:
    return getattr(method, "__func__", None) is own
