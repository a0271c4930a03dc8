"""The newest records of the log (media contract, 5.10)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from plugin_sdk import Data, Settings
from plugin_sdk.management import HostInfo

__all__ = ["LEVELS", "LogBook", "shown"]

LEVELS: Final = ("error", "warn", "info", "http", "debug")
_FIRST_LOOK: Final = 128 * 1024
_LARGEST_LOOK: Final = 64 * 1024 * 1024
_CLEARED: Final = "logs_cleared_at"
_MILLISECOND: Final = 0.001
_COLOUR: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")
_META: Final[Mapping[str, str]] = {
    "method": "method",
    "path": "path",
    "status": "status",
    "durationMs": "ms",
    "requestId": "request",
    "plugin": "plugin",
    "incident": "incident",
}
"""Members of ``meta`` and what they are called in the file. Traces stay there."""


class LogBook:
    """Reads the log from its end, no further than needed. What was cleared stays in the file,
    for the operator; its time is remembered, and earlier records are not listed any more."""

    def __init__(self, info: HostInfo, data: Data, settings: Settings) -> None:
        self._info = info
        self._data = data
        self._settings = settings

    def newest(self, limit: int, level: str | None) -> list[dict[str, Any]]:
        """Newest first, at most ``limit`` of that level."""
        since: str = self._data.get(_CLEARED, "")
        look, before = _FIRST_LOOK, -1
        while True:
            text = b"".join(self._info.log_lines(look))
            found, all_seen = self._matching(text, limit, level, since)
            if all_seen or len(text) == before or look >= _LARGEST_LOOK:
                return found
            look, before = look * 8, len(text)

    def clear(self, now: str) -> None:
        """``now`` as the log writes times: ISO-8601 in UTC with milliseconds. Returns when that
        millisecond is over: what is logged afterwards is later."""
        self._data.set(_CLEARED, now)
        time.sleep(_MILLISECOND)

    def _matching(
        self, text: bytes, limit: int, level: str | None, since: str
    ) -> tuple[list[dict[str, Any]], bool]:
        """Records, and whether looking further back would find nothing more."""
        found: list[dict[str, Any]] = []
        kept: int = self._settings["logKeep"]
        for number, record in enumerate(_records(text)):
            if number >= kept or record["time"] <= since:
                return found, True
            if level in (None, record["level"]):
                found.append(shown(record))
                if len(found) == limit:
                    return found, True
        return found, False


def _records(text: bytes) -> Iterator[dict[str, Any]]:
    """From the end; lines that are no records are passed over (a crash may have cut one)."""
    for line in reversed(text.split(b"\n")):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("time"), str):
            yield record


def shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log as clients see it: ``timestamp``, ``level``, ``message``, ``meta``."""
    meta = {name: record[source] for name, source in _META.items() if source in record}
    plain = {
        "timestamp": record["time"][:19].replace("T", " "),
        "level": record.get("level", "info"),
        "message": _COLOUR.sub("", str(record.get("message", ""))),
    }
    return {**plain, "meta": meta} if meta else plain
