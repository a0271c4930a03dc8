"""Key paths: ``identities.0.alias`` names one place in a settings document (contract, 3.3).

The schema is walked beside the data, so that a place which may be there, but is not yet, can be
told from one that never is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.drops import strict
from builtin_plugins.drops.schema import FREE, MODULE, Free, Many, Modules, Node, Record, Section

__all__ = ["InvalidKey", "Target", "find", "replaced", "split"]

_MAX_SEGMENTS: Final = 64
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_BY_ID: Final = re.compile(r"@(0|[1-9][0-9]{0,9})")
_MISSING: Final = object()

Step = str | int


class InvalidKey(ValueError):
    """A key that names no place; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """``steps`` are member names and indexes; ``node`` says what may stand there."""

    steps: tuple[Step, ...]
    node: Node


def split(key: Any) -> list[str]:
    """The segments: ``\\.`` is a dot, ``\\\\`` a backslash. Raises InvalidKey."""
    if not isinstance(key, str) or not key:
        raise InvalidKey("A key is needed: a text such as poll_interval.")
    if strict.has_surrogate(key):
        raise InvalidKey("The key contains a lone surrogate.")
    segments, current, place = [], "", 0
    while place < len(key):
        character, following = key[place], key[place + 1 : place + 2]
        if character == "\\" and following in (".", "\\") and following:
            current += following
            place += 1
        elif character == ".":
            segments.append(current)
            current = ""
        else:
            current += character
        place += 1
    segments.append(current)
    if not all(segments):
        raise InvalidKey("The key has an empty segment.")
    if len(segments) > _MAX_SEGMENTS:
        raise InvalidKey(f"The key has more than {_MAX_SEGMENTS} segments.")
    return segments


def find(schema: Record, document: dict[str, Any], segments: Sequence[str]) -> Target:
    """Where a key leads. Raises InvalidKey when the schema knows no such place, or an item on
    the way is not there."""
    node: Node = schema
    value: Any = document
    steps: list[Step] = []
    for segment in segments:
        node, step = _step(node, value, segment)
        value = _inside(value, step)
        steps.append(step)
    return Target(tuple(steps), node)


def replaced(value: Any, steps: Sequence[Step], new: Any) -> Any:
    """A copy with another value at that place; what does not lie on the way is shared. Missing
    objects on the way are made."""
    if not steps:
        return new
    first, rest = steps[0], steps[1:]
    if isinstance(first, int):
        items = list(value)
        items[first] = replaced(items[first], rest, new)
        return items
    members = dict(value) if isinstance(value, dict) else {}
    members[first] = replaced(members.get(first), rest, new)
    return members


def _step(node: Node, value: Any, segment: str) -> tuple[Node, Step]:
    if isinstance(node, Record):
        if segment not in node.members:
            raise InvalidKey(f'There is no key "{segment[:80]}" here.')
        return node.members[segment].node, segment
    if isinstance(node, Section):
        return node.record, _item(value, segment)
    if isinstance(node, Many):
        return node.item, _index(value, segment)
    if isinstance(node, Modules):
        return MODULE, segment
    if isinstance(node, Free):
        if isinstance(value, list):
            return FREE, _index(value, segment)
        if value is _MISSING or isinstance(value, dict):
            return FREE, segment
    raise InvalidKey(f'There is nothing below, so no "{segment[:80]}".')


def _item(items: list[Any], segment: str) -> int:
    found = _BY_ID.fullmatch(segment)
    if found is None:
        return _index(items, segment)
    wanted = int(found[1])
    for number, each in enumerate(items):
        if each["id"] == wanted:
            return number
    raise InvalidKey(f"There is no item with the id {wanted}.")


def _index(items: Any, segment: str) -> int:
    if not _INDEX.fullmatch(segment) or not 0 <= int(segment) < len(items):
        raise InvalidKey(f'There is no item "{segment[:80]}".')
    return int(segment)


def _inside(value: Any, step: Step) -> Any:
    if isinstance(step, int):
        return value[step]
    return value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
