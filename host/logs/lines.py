"""A log line: what it holds, how it is written, and what must never stand in it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

__all__ = [
    "HTTP",
    "LEVELS",
    "MAX_MESSAGE",
    "AccessLine",
    "AccessRecord",
    "Line",
    "redacted",
]

HTTP: Final = 15
"""The level of request records, between debug and info."""

LEVELS: Final[Mapping[str, int]] = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "http": HTTP,
    "debug": logging.DEBUG,
}

MAX_MESSAGE: Final = 16 * 1024
"""Characters of a message that are kept."""

_MAX_REMEMBERED: Final = 200
"""Characters of a path up to which the constant parts of its lines are kept."""

_quoted: Final = json.encoder.encode_basestring
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}
_NAMES: Final = (
    r"[\w-]*token|[\w-]*api[_-]?key|[\w-]*secret|[\w-]*passw(?:or)?d|(?:new)?pin"
    r"|[\w-]*phrase|[\w-]*session"
)
_HINTS: Final = [
    "token",
    "key",
    "secret",
    "passw",
    "pin",
    "phrase",
    "session",
    "bearer",
    "basic",
    "://",
    "local_",
]
"""Without one of these nothing below can match: most lines are passed over cheaply."""
_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*(?:\"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)"
_SECRETS: Final = re.compile(
    # An authorization header, whatever way it was printed.
    r"(?P<bearer>\b(?:bearer|basic)\s+)[^\s'\"\\,;]+"
    # name=value as in a query, a form or a repr.
    rf"|(?P<equals>(?<![\w-])(?:{_NAMES})=)(?:{_QUOTED}|[^\s&'\"#,;)\]}}]+)"
    # "name": "value" as in JSON (also quoted once more) or the repr of a dict.
    rf"|(?P<json>(?P<quote>\\?['\"])(?:{_NAMES})(?P=quote)\s*:\s*)(?:\\?(?:{_QUOTED})|[^\s,}}\]]+)"
    # The password of a URL.
    r"|(?P<url>://[^\s/:@]*:)[^\s/@]+(?=@)"
    # A token of the signaling login, wherever it stands.
    r"|(?P<local>\blocal_)[0-9a-f]{40}\b",
    re.IGNORECASE | re.DOTALL,
)


class Line(NamedTuple):
    """``time`` is seconds since the epoch; ``more`` are further members, of JSON types."""

    time: float
    level: int
    logger: str
    message: str
    plugin: str = ""
    request: str = ""
    incident: str = ""
    trace: str = ""
    more: Mapping[str, Any] | None = None
    told: bool = True
    """Whether followers of the log hear of it."""

    @property
    def size(self) -> int:
        """Roughly, in bytes of memory."""
        return 400 + len(self.message) + len(self.trace)

    def document(self) -> dict[str, Any]:
        """Members that say nothing are left out."""
        document: dict[str, Any] = {
            "time": _iso(self.time),
            "level": _level_name(self.level),
            "logger": self.logger,
            "message": redacted(self.message),
        }
        for name in ("plugin", "request", "incident"):
            if value := getattr(self, name):
                document[name] = value
        if self.trace:
            document["trace"] = redacted(self.trace)
        for name, value in (self.more or {}).items():
            document[name] = redacted(value) if isinstance(value, str) else value
        return document

    def as_json(self) -> str:
        """One JSON object without line breaks."""
        document = self.document()
        return f"{{{_members(document, document)}}}"

    def as_text(self) -> str:
        """For people: a line, and below it the trace; nothing can forge a line of its own."""
        notes = [self.plugin, self.request, self.incident and f"incident {self.incident}"]
        note = " ".join(f"[{_printable(each)}]" for each in notes if each)
        head = f"{_iso(self.time)} {_level_name(self.level):5} {self.logger}"
        text = f"{head} {note}{' ' if note else ''}{_printable(redacted(self.message))}"
        if self.more and "ms" in self.more:
            text += f" {self.more['bytes']} B {self.more['ms']} ms"
        if self.trace:
            text += "\n    " + _printable(redacted(self.trace))
        return text


class AccessRecord(NamedTuple):
    """One request that was answered. ``size`` is the body's in bytes, ``seconds`` the time it
    took; ``path`` comes without the query, which may hold secrets."""

    method: str
    path: str
    status: int
    seconds: float
    size: int = 0
    peer: str = ""
    plugin: str = ""
    request: str = ""


class AccessLine(NamedTuple):
    """The line of one request, made of its record only where it is written: there is one for
    every request, and most of what it says it says again and again."""

    time: float
    record: AccessRecord
    plugin: str
    request: str

    level: int = HTTP
    told: bool = True

    @property
    def size(self) -> int:
        """As of a `Line`."""
        return 600 + 2 * len(self.record.path)

    def line(self) -> Line:
        """The same, as other lines are."""
        record = self.record
        more: dict[str, str | int | float] = {
            "method": record.method,
            "path": record.path[:MAX_MESSAGE],
            "status": record.status,
            "ms": self._milliseconds,
            "bytes": record.size,
            "peer": record.peer,
        }
        message = f"{record.method} {record.path} {record.status}"[:MAX_MESSAGE]
        return Line(self.time, HTTP, "access", message, self.plugin, self.request, more=more)

    def document(self) -> dict[str, Any]:
        """As of a `Line`."""
        return self.line().document()

    def as_text(self) -> str:
        """As of a `Line`."""
        return self.line().as_text()

    def as_json(self) -> str:
        """As of a `Line`."""
        record = self.record
        if len(record.path) > _MAX_REMEMBERED or not self.request:
            return self.line().as_json()
        before, after = _access_members(record.method, record.path, record.status, self.plugin)
        return (
            f'{{"time":"{_iso(self.time)}",{before},"request":{_quoted(self.request)},{after},'
            f'"ms":{self._milliseconds!r},"bytes":{record.size},"peer":{_quoted(record.peer)}}}'
        )

    @property
    def _milliseconds(self) -> float:
        return round(self.record.seconds * 1000, 3)


@lru_cache(1024)
def _access_members(method: str, path: str, status: int, plugin: str) -> tuple[str, str]:
    """What such lines say before and after the request's id."""
    line = AccessLine(0.0, AccessRecord(method, path, status, 0.0), plugin, "")
    document = line.document()
    before = [name for name in ("level", "logger", "message", "plugin") if name in document]
    return _members(document, before), _members(document, ("method", "path", "status"))


def redacted(text: str) -> str:
    """The text without bearer tokens, and without the values of what is called token, password,
    secret, PIN, phrase, session or API key in queries and JSON."""
    lowered = text.lower()
    for hint in _HINTS:  # in a loop: every line comes here, and a generator costs twice as much
        if hint in lowered:
            break
    else:
        return text
    return _SECRETS.sub(_replacement, text)


def _replacement(found: re.Match[str]) -> str:
    kept = next(
        found[name]
        for name in ("bearer", "equals", "json", "url", "local")
        if found[name] is not None
    )
    return kept + ('"<redacted>"' if found["json"] is not None else "<redacted>")


def _printable(text: str) -> str:
    clean = text.translate(_CONTROL).replace("\n", "\n    ")
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")


def _members(document: Mapping[str, Any], names: Iterable[str]) -> str:
    """Members of a JSON object, without its braces and without line breaks."""
    text = ",".join(f"{_quoted(name)}:{_rendered(document[name])}" for name in names)
    if text.isascii():
        return text
    # A lone surrogate becomes its escape; U+2028 and U+2029 would break lines for some.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _rendered(value: Any) -> str:
    """As JSON; texts and numbers are nearly all there is."""
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is int:
        return repr(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)


def _iso(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(8)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _level_name(level: int) -> str:
    for name, number in LEVELS.items():
        if level >= number:
            return name
    return "debug"
