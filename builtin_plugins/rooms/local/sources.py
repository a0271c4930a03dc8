"""The two forms of an import (local REST contract, 7.1)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from builtin_plugins.rooms.local.shapes import KINDS, Located
from plugin_sdk import Invalid, check_json, parse_json

__all__ = ["LineSource", "ObjectSource", "Row", "Source"]

_MAX_LINE: Final = 32 * 1024 * 1024
_MAX_DEPTH: Final = 72  # an object as deep as may be, and what stands around it
_BOM: Final = b"\xef\xbb\xbf"
_MEMBERS: Final = {kind.member: kind.name for kind in KINDS.values()}
_ORDER: Final = tuple(KINDS)


class Row(NamedTuple):
    """``where`` names its place in errors."""

    kind: str
    where: str
    doc: Any


class Source(Protocol):
    def rows(self, kinds: Collection[str]) -> Iterator[Row]:
        """Those of these kinds, as often as one asks. Raises Located, Invalid."""
        ...

    def kinds(self) -> frozenset[str]:
        """Those that appear; known once all rows were read."""
        ...


class ObjectSource:
    """One JSON object with an array for each kind."""

    def __init__(self, content: bytes) -> None:
        bare = content.removeprefix(_BOM)
        try:
            document = parse_json(bare, unique_keys=True, max_depth=_MAX_DEPTH)
        except Invalid:
            _locate(bare)
            raise
        if not isinstance(document, dict):
            raise Invalid("An import is one JSON object.")
        for name in document:
            if name != "version" and name not in _MEMBERS:
                raise Located(name, "is no member of an import")
        version = document.get("version", 1)
        if type(version) is not int or version != 1:
            raise Located("version", "must be 1")
        for member, kind in _MEMBERS.items():
            wanted = dict if kind == "meta" else list
            if member in document and not isinstance(document[member], wanted):
                what = "an object" if kind == "meta" else "an array"
                raise Located(member, f"must be {what}")
        self._document: Mapping[str, Any] = document

    def rows(self, kinds: Collection[str]) -> Iterator[Row]:
        for member, kind in _MEMBERS.items():
            if kind not in kinds or member not in self._document:
                continue
            if kind == "meta":
                for key, value in self._document[member].items():
                    yield Row(kind, f"meta.{key}", {"key": key, "value": value})
            else:
                for number, doc in enumerate(self._document[member]):
                    yield Row(kind, f"{member}[{number}]", doc)

    def kinds(self) -> frozenset[str]:
        return frozenset(_MEMBERS[name] for name in self._document if name in _MEMBERS)


def _locate(content: bytes) -> None:
    """Raises Invalid with the place of what is refused, if it can be told."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):  # no JSON at all: the parser told where
        return
    members = document.items() if isinstance(document, dict) else ()
    for name, rows in members:
        for number, doc in enumerate(rows if isinstance(rows, list) else ()):
            try:
                check_json(doc, max_depth=_MAX_DEPTH - 2)
            except Invalid as error:
                raise Invalid(f"{name}[{number}]: {error.message}") from None


class LineSource:
    """A file with one object on each line. What kind each line is is noted, a byte for each, so
    that others need not be parsed again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted = bytearray()
        self._complete = False

    def rows(self, kinds: Collection[str]) -> Iterator[Row]:
        wanted = {_ORDER.index(kind) for kind in kinds}
        with self._path.open("rb") as file:
            for number, line in _lines(file):
                if self._complete and self._noted[number] not in wanted:
                    continue
                row = _parse(number + 1, line)
                if not self._complete:
                    self._note(row)
                if row is not None and row.kind in kinds:
                    yield row
        self._complete = True

    def kinds(self) -> frozenset[str]:
        return frozenset(_ORDER[code] for code in set(self._noted) if code < len(_ORDER))

    def _note(self, row: Row | None) -> None:
        self._noted.append(255 if row is None else _ORDER.index(row.kind))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbers from 0, and lines without the byte order mark of the first."""
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            raise Invalid(f"line {number + 1}: is longer than {_MAX_LINE} bytes")
        yield number, line.removeprefix(_BOM) if number == 0 else line
        number += 1


def _parse(number: int, line: bytes) -> Row | None:
    """None for a blank line."""
    if not line.strip():
        return None
    place = f"line {number}"
    try:
        value = parse_json(line, unique_keys=True, max_depth=_MAX_DEPTH)
    except Invalid as error:
        raise Invalid(f"{place}: {error.message}") from None
    if not isinstance(value, dict) or value.keys() != {"kind", "doc"}:
        raise Invalid(f'{place}: must be an object with the members "kind" and "doc"')
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise Located(f"{place}: kind", f"must be one of {', '.join(KINDS)}")
    return Row(kind, f"{place}: doc", value["doc"])
