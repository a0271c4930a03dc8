"""Old spellings on their way out: they go on working, and tell who still uses them.

A function, property or name that is to go calls `deprecated` first. Used inside of a host, the
plugin that called is found, and the host counts it: `stagebox preflight` and the admin's pages
show who has to change something before which version. Elsewhere, in a plugin's tests above all, it
is Python's own DeprecationWarning at the caller's line.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

__all__ = ["Deprecation", "DeprecationListener", "deprecated", "loading_plugin"]


@dataclass(frozen=True, slots=True)
class Deprecation:
    """A use of something deprecated: ``name`` as its documentation writes it, the SDK versions
    ``since`` which it is deprecated and in which it is ``removed_in``, what to write ``instead``,
    and where it was called: the name of the file's folder and of the file, and the line."""

    name: str
    since: str
    removed_in: str
    instead: str
    file: str
    line: int

    def __str__(self) -> str:
        return (
            f"{self.name} is deprecated since version {self.since} and is removed in "
            f"{self.removed_in}: use {self.instead}."
        )


DeprecationListener = Callable[[Deprecation], object]

_LISTENER: Final = "deprecation_listener"
"""Where the context that a host hands to a plugin keeps it."""

_loading: Final[ContextVar[DeprecationListener | None]] = ContextVar("loading", default=None)


def deprecated(name: str, *, since: str, removed_in: str, instead: str) -> None:
    """Call this first in whatever is deprecated; it returns.

    The use is laid to the code that called the caller of this function, passing over the package
    of the latter, the SDK and the host. It counts for the plugin on whose instance's method it
    happened, however deep below, or which was being imported. Without one, or without a host, it
    is a DeprecationWarning at that line, which Python shows once."""
    declaring = sys._getframe(1)
    if declaring.f_back is not None and _is_importing(declaring.f_back):
        return  # `from … import …` looks whether there is such a name before it takes it
    passed = {_package(declaring), "plugin_sdk", "host"}
    frame: FrameType | None = declaring
    while frame is not None and _package(frame) in passed:
        frame = frame.f_back
    if frame is None:
        frame = declaring
    path = Path(frame.f_code.co_filename)
    place = "/".join(path.parts[-2:]) if path.parent.name else path.name
    use = Deprecation(name, since, removed_in, instead, place, frame.f_lineno)
    listener = _listener(frame) or _loading.get()
    if listener is not None:
        listener(use)
        return
    warnings.warn_explicit(
        str(use),
        DeprecationWarning,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


@contextmanager
def loading_plugin(listener: DeprecationListener) -> Iterator[None]:
    """For the host: what is used in here without an instance is laid to one plugin."""
    token = _loading.set(listener)
    try:
        yield
    finally:
        _loading.reset(token)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_importing(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _listener(frame: FrameType | None) -> DeprecationListener | None:
    """Of the innermost plugin on the stack."""
    from plugin_sdk.plugin import Plugin

    while frame is not None:
        own = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames else None
        if isinstance(own, Plugin):
            found: Any = getattr(getattr(own, "context", None), _LISTENER, None)
            return found if callable(found) else None
        frame = frame.f_back
    return None
