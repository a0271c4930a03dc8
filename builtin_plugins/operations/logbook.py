"""The newest records of the log, as an administrator wants to see them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from plugin_sdk.management import HostInfo

__all__ = ["Wanted", "newest"]

_URGENCY: Final = {"error": 0, "warn": 1, "info": 2, "http": 3, "debug": 4}
_LOOKS: Final = (256 * 1024, 4 * 1024 * 1024, 32 * 1024 * 1024)
"""Bytes from the end of the file; further back only when too little was found."""

Wanted = Mapping[str, Any]
"""``limit``, and any of ``level``, ``plugin``, ``text``, ``since``."""


def newest(info: HostInfo, wanted: Wanted) -> list[dict[str, Any]]:
    """At most ``limit`` records that fit, oldest first."""
    found: list[dict[str, Any]] = []
    before = -1
    for look in _LOOKS:
        text = b"".join(info.log_lines(look))
        found = _matching(text, wanted)
        complete = len(text) == before or len(text) < look // 2
        if len(found) == wanted["limit"] or complete or _reaches(text, wanted.get("since")):
            break
        before = len(text)
    found.reverse()
    return found


def _matching(text: bytes, wanted: Wanted) -> list[dict[str, Any]]:
    urgency = _URGENCY[wanted.get("level", "debug")]
    plugin, since = wanted.get("plugin"), wanted.get("since", "")
    needle = wanted.get("text", "").casefold()
    found: list[dict[str, Any]] = []
    for record in _records(text):
        if record["time"] < since:
            break
        fits = (
            _URGENCY.get(record.get("level", "info"), 2) <= urgency
            and plugin in (None, record.get("plugin"))
            and (not needle or needle in str(record.get("message", "")).casefold())
        )
        if fits:
            found.append(record)
            if len(found) == wanted["limit"]:
                break
    return found


def _reaches(text: bytes, since: str | None) -> bool:
    """Whether everything since then is in it."""
    if since is None:
        return False
    oldest = None
    for line in text.split(b"\n", 3)[:3]:
        oldest = _record(line) or oldest
        if oldest is not None:
            return bool(oldest["time"] < since)
    return False


def _records(text: bytes) -> Iterator[dict[str, Any]]:
    """From the end; a line that a crash cut is passed over."""
    for line in reversed(text.split(b"\n")):
        record = _record(line)
        if record is not None:
            yield record


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("time"), str) else None
