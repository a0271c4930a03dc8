"""Where in a JSON text a member stands: the parser of the library does not tell."""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["lines_of_members"]

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def lines_of_members(text: str) -> dict[str, int]:
    """Lines, from 1, by path: ``settings.properties.maxNotes`` or ``permissions.0.name``. The
    text must be valid JSON."""
    found: dict[str, int] = {}
    path: list[str | int] = []
    key: str | None = None
    expects_key = False
    line, scanned = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", scanned, match.start())
        scanned = match.start()
        word = match.group()
        if word in "{[":
            _note(found, path, line)
            path.append("" if word == "{" else 0)
            expects_key = word == "{"
        elif word in "}]":
            path.pop()
            expects_key = False
        elif word == ",":
            top = path[-1]
            if isinstance(top, int):
                path[-1] = top + 1
            expects_key = not isinstance(top, int)
        elif word == ":":
            expects_key = False
        elif expects_key:
            key = json.loads(word)
            path[-1] = key or ""
            found.setdefault(_joined(path), line)
        else:
            _note(found, path, line)
    return found


def _note(found: dict[str, int], path: list[str | int], line: int) -> None:
    if path:
        found.setdefault(_joined(path), line)


def _joined(path: list[str | int]) -> str:
    return ".".join(str(part) for part in path)
