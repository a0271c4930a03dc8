"""The log of one host: JSON lines in a rotating file, and lines for people on standard error.

Loggers hang on a manager of their own, not on Python's global tree, so that two hosts in one
process do not see each other. Lines are written by a background thread from a bounded queue: a
request never waits for the disk.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TextIO

from host.logs.files import RotatingFile
from host.logs.lines import HTTP, LEVELS, MAX_MESSAGE, AccessLine, AccessRecord, Line
from host.logs.writer import Follower, LogWriter
from plugin_sdk import Clock

__all__ = [
    "HostLogs",
    "log_context",
    "new_incident",
    "plugin_id",
    "request_id",
]

request_id: ContextVar[str] = ContextVar("stagebox_request_id", default="")
"""The id of the request that this thread or task works on; log lines carry it."""

plugin_id: ContextVar[str] = ContextVar("stagebox_plugin_id", default="")
"""The plugin whose code runs; log lines carry it."""

_MAX_FILE_BYTES: Final = 10 * 1024 * 1024
_BACKUPS: Final = 5
_MAX_TRACE: Final = 64 * 1024


_CARRIERS: Final = frozenset({"realtime", "plugin.realtime"})


def new_incident() -> str:
    """12 hex digits that tie an answer to the log line that explains it."""
    return secrets.token_hex(6)


@contextmanager
def log_context(*, plugin: str | None = None, request: str | None = None) -> Iterator[None]:
    """Lines logged inside carry this plugin and request."""
    tokens = []
    if plugin is not None:
        tokens.append((plugin_id, plugin_id.set(plugin)))
    if request is not None:
        tokens.append((request_id, request_id.set(request)))
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


class HostLogs:
    """The loggers of one host and where their lines go.

    ``file`` gets JSON lines and is kept below 10 MB with five predecessors (``.1`` to ``.5``);
    ``stream`` gets text or JSON. Records of the level and above are kept: error, warn, info,
    http (one line for each request), debug. A line has ``time``, ``level``, ``logger``,
    ``message`` and, where known, ``plugin``, ``request``, ``incident`` and ``trace``.
    """

    def __init__(
        self,
        *,
        level: str = "info",
        file: Path | None = None,
        stream: TextIO | None = None,
        stream_format: str = "text",
        clock: Clock | None = None,
        max_bytes: int = _MAX_FILE_BYTES,
        backups: int = _BACKUPS,
        handlers: Sequence[logging.Handler] = (),
    ) -> None:
        self.file = file
        rotating = RotatingFile(file, max_bytes, backups) if file is not None else None
        self._operators = LEVELS[level]
        self._level = self._operators
        as_json = stream_format == "json"
        self._writer = LogWriter(rotating, stream, self._operators, as_json=as_json)
        self._now = clock.time if clock is not None else time.time
        self.trace: Callable[[Any], str] = _FORMATTER.formatException
        """How an exception (a triple as of `sys.exc_info`) is written."""
        root = logging.RootLogger(self._level)
        root.addHandler(_Handler(self))
        for handler in handlers:
            root.addHandler(handler)
        self._root = root
        self._manager = logging.Manager(root)
        root.manager = self._manager  # whose caches a new level clears
        self._adopted: list[tuple[logging.Logger, logging.Handler, bool, int]] = []

    def logger(self, name: str) -> logging.Logger:
        """The logger of a part of the host: ``web``, ``plugins.lifecycle``."""
        return self._manager.getLogger(name)

    def plugin_logger(self, plugin: str) -> logging.Logger:
        """``context.log`` of a plugin: its lines name the plugin from whatever thread."""
        logger = self._manager.getLogger(f"plugin.{plugin}")
        if not logger.filters:
            logger.addFilter(_PluginName(plugin))
        return logger

    def adopt(self, name: str, level: int = logging.WARNING) -> None:
        """Takes in what a library logs to Python's global tree below ``name``, until `close`."""
        logger, handler = logging.getLogger(name), _Handler(self)
        handler.setLevel(level)
        self._adopted.append((logger, handler, logger.propagate, logger.level))
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(level)

    def keep(self, level: str | None) -> None:
        """The file keeps records of this level and above from now on; None: of the level that
        the operator chose, as ``stream`` always does."""
        self._writer.file_level = self._operators if level is None else LEVELS[level]
        self._follow_levels()

    def follow(self, level: str, follower: Follower) -> Callable[[], None]:
        """Has ``follower`` called with the document of every line of the level and above, on the
        thread that writes them; what is returned ends that. It is not told of what it logs
        itself, nor of what carries realtime messages: it may send them."""
        forget = self._writer.follow(LEVELS[level], follower)
        self._follow_levels()

        def end() -> None:
            forget()
            self._follow_levels()

        return end

    def _follow_levels(self) -> None:
        self._level = self._writer.lowest()
        self._root.setLevel(self._level)

    @property
    def access_enabled(self) -> bool:
        """Whether `access` keeps anything, so that a server may skip making records."""
        return self._level <= HTTP

    def access(self, record: AccessRecord) -> None:
        """Logs an answered request at level http."""
        if self._level > HTTP:
            return
        self._writer.put(
            AccessLine(
                self._now(),
                record,
                record.plugin or plugin_id.get(),
                record.request or request_id.get(),
            )
        )

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until all lines so far are handed to the operating system; False when
        ``timeout`` seconds did not suffice."""
        return self._writer.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Writes what waits and ends the thread. Later lines are dropped."""
        for logger, handler, propagate, level in reversed(self._adopted):
            logger.removeHandler(handler)
            logger.propagate = propagate
            logger.setLevel(level)
        self._adopted.clear()
        self._writer.close(timeout)

    def _take(self, record: logging.LogRecord) -> None:
        trace = ""
        if record.exc_info and record.exc_info[0] is not None:
            trace = self.trace(record.exc_info)
        elif record.stack_info:
            trace = record.stack_info
        if len(trace) > _MAX_TRACE:
            trace = _shortened(trace)
        self._writer.put(
            Line(
                self._now(),
                record.levelno,
                record.name,
                _message(record),
                getattr(record, "plugin", "") or plugin_id.get(),
                getattr(record, "request", "") or request_id.get(),
                str(getattr(record, "incident", "") or ""),
                trace,
                told=not self._writer.is_current and record.name not in _CARRIERS,
            )
        )


_FORMATTER: Final = logging.Formatter()


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as error:  # arguments that do not fit, or whose str() raises
        text = f"{record.msg!r} (cannot be formatted: {type(error).__name__})"
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "..."


def _shortened(trace: str) -> str:
    """Both ends, which tell most: where it began and what it was. The second begins with a whole
    line, or word: of a secret whose name was cut away nobody would know that it is one."""
    end = trace[-_MAX_TRACE // 2 :]
    end = end.partition("\n")[2] or end.partition(" ")[2]
    return f"{trace[: _MAX_TRACE // 2]}\n...\n{end}"


class _Handler(logging.Handler):
    def __init__(self, logs: HostLogs) -> None:
        super().__init__()
        self._logs = logs

    def handle(self, record: logging.LogRecord) -> bool:
        # Without the handler's lock: the queue has its own, and traces are formatted here.
        self._logs._take(record)
        return True


class _PluginName(logging.Filter):
    def __init__(self, plugin: str) -> None:
        super().__init__()
        self._plugin = plugin

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "plugin"):
            record.plugin = self._plugin
        return True
