"""Tracebacks for the author of a plugin: files as they are edited, and no frames of the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import FrameSummary, StackSummary, TracebackException
from types import TracebackType
from typing import Final

import host
import plugin_sdk

__all__ = ["Traces"]

_OURS: Final = tuple(each.__path__[0] for each in (host, plugin_sdk))


@dataclass(frozen=True, slots=True)
class Traces:
    """``installed`` is the folder from which the host runs the plugin; ``edited`` the folder, or
    the one file, that it was copied from."""

    installed: Path
    edited: Path

    def render(self, error: BaseException, trace: TracebackType | None) -> str:
        """As Python prints it, with the exceptions that led to it. What passes through the host
        before and after the plugin's own lines is left out; an error that never came by the plugin
        is shown whole."""
        whole = TracebackException(type(error), error, trace)
        chain = list(_chain(whole))
        if any(self._place(file) is not None for each in chain for file in _files(each)):
            for each in chain:
                self._shorten(each)
        return "".join(whole.format()).rstrip("\n")

    def named(self, text: str) -> str:
        """A fault's sentence, which names a plugin of one file as it was installed."""
        if self.edited.is_dir():
            return text
        return text.replace("(__init__.py, line ", f"({self.edited.name}, line ")

    def _shorten(self, each: TracebackException) -> None:
        kept = [self._moved(frame) for frame in each.stack if not _is_ours(frame.filename)]
        each.stack = StackSummary.from_list(kept)
        if not kept:
            each.stack = None  # type: ignore[assignment]  # then no head is printed for it
        wrong = getattr(each, "filename", None)  # of a SyntaxError
        if wrong:
            each.filename = self._place(wrong) or wrong

    def _moved(self, frame: FrameSummary) -> FrameSummary:
        place = self._place(frame.filename)
        if place is None:
            return frame
        return FrameSummary(place, frame.lineno, frame.name, line=frame.line)

    def _place(self, file: str) -> str | None:
        """Where a file of the plugin is edited; None for one that is not the plugin's."""
        path = Path(file)
        if not path.is_relative_to(self.installed):
            return None
        if not self.edited.is_dir():
            return str(self.edited)
        return str(self.edited / path.relative_to(self.installed))


def _chain(error: TracebackException) -> Iterator[TracebackException]:
    pending: list[TracebackException | None] = [error]
    while pending:
        each = pending.pop()
        if each is not None:
            yield each
            pending += [each.__cause__, each.__context__, *(each.exceptions or ())]


def _files(error: TracebackException) -> Iterator[str]:
    yield from (frame.filename for frame in error.stack)
    wrong = getattr(error, "filename", None)  # of a SyntaxError, which has no frame
    if wrong:
        yield wrong


def _is_ours(file: str) -> bool:
    return file.startswith((*_OURS, "<frozen importlib"))
