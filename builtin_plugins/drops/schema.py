"""The kinds of values in a settings document: what fits, and what a text from a form means.

A node's ``check`` returns the value as it is stored and adds to ``found`` what is wrong with it;
``from_text`` makes a value of a form field (contract, 2.2 and section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from builtin_plugins.drops import strict
from builtin_plugins.drops.drop_urls import drop_url_problem, url_problem
from builtin_plugins.drops.keys import is_key, is_usable_public_key
from plugin_sdk import Problem

__all__ = [
    "ABSENT",
    "REQUIRED",
    "Check",
    "DropUrl",
    "Flag",
    "Free",
    "FreeObject",
    "Key",
    "Many",
    "Member",
    "Modules",
    "Node",
    "Record",
    "Section",
    "Text",
    "Unfit",
    "Url",
    "Whole",
    "has_type",
]

HIGHEST_INT: Final = 2**31 - 1
HIGHEST_LONG: Final = 2**63 - 1

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_Path = tuple[str | int, ...]


class Unfit(ValueError):
    """A text that is no value of the kind; says what is needed."""


@dataclass(slots=True)
class Check:
    """One look at a document. ``trusted`` are the ids (`id`) of items that were checked when they
    were stored; ``now`` is in seconds."""

    now: int
    allow_unqualified: bool = False
    trusted: frozenset[int] = frozenset()
    found: list[Problem] = field(default_factory=list)

    def wrong(self, path: _Path, message: str) -> None:
        self.found.append(Problem(".".join(map(str, path)), message))


class Node(Protocol):
    def check(self, value: Any, path: _Path, look: Check) -> Any: ...
    def from_text(self, text: str) -> Any:
        """Raises Unfit."""
        ...


def has_type(value: Any, kind: type) -> bool:
    """As `isinstance`, but true and false are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


class _Json:
    """A kind that only JSON can write down."""

    def from_text(self, text: str) -> Any:
        try:
            return strict.parse(text)
        except (strict.NotJson, strict.NotStrict) as error:
            raise Unfit(f"is no usable JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Text:
    """A text; also the base of texts with a form."""

    filled: bool = False

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, str):
            look.wrong(path, "must be a text")
        elif self.filled and not value:
            look.wrong(path, "must not be empty")
        return value

    def from_text(self, text: str) -> Any:
        return text


@dataclass(frozen=True, slots=True)
class Key(Text):
    """64 hex digits, stored in lower case; ``public`` ones must be usable."""

    public: bool = False

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, str) or not is_key(value):
            look.wrong(path, "must be a key: 64 hex digits")
            return value
        if self.public and not is_usable_public_key(value):
            look.wrong(path, "is a key with which nothing can be encrypted")
        return value.lower()


@dataclass(frozen=True, slots=True)
class Url(Text):
    def check(self, value: Any, path: _Path, look: Check) -> Any:
        wrong = url_problem(value) if isinstance(value, str) else "must be a text"
        if wrong is not None:
            look.wrong(path, wrong)
        return value


@dataclass(frozen=True, slots=True)
class DropUrl(Text):
    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, str):
            look.wrong(path, "must be a text")
            return value
        wrong = drop_url_problem(value, allow_unqualified=look.allow_unqualified)
        if wrong is not None:
            look.wrong(path, wrong)
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from 0 on."""

    highest: int = HIGHEST_LONG

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not has_type(value, int) or not 0 <= value <= self.highest:
            look.wrong(path, f"must be an integer from 0 to {self.highest}")
        return value

    def from_text(self, text: str) -> Any:
        if not _NUMBER.fullmatch(text):
            raise Unfit("must be a number")
        try:
            return strict.parse(text)
        except strict.NotStrict:
            raise Unfit("is a number out of range") from None


@dataclass(frozen=True, slots=True)
class Flag:
    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, bool):
            look.wrong(path, "must be true or false")
        return value

    def from_text(self, text: str) -> Any:
        if text not in ("true", "false"):
            raise Unfit("must be true or false")
        return text == "true"


class Free:
    """Any JSON value, inside ``module_data``."""

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        return value

    def from_text(self, text: str) -> Any:
        try:
            return strict.parse(text)
        except (strict.NotJson, strict.NotStrict):
            return text


class FreeObject(Free):
    """What one module keeps: an object with any content."""

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, dict):
            look.wrong(path, "must be an object")
        return value


class Modules(_Json):
    """An object of objects, by the names of modules."""

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, dict):
            look.wrong(path, "must be an object")
            return value
        for name, each in value.items():
            MODULE.check(each, (*path, name), look)
        return value


MODULE: Final = FreeObject()
FREE: Final = Free()


@dataclass(frozen=True, slots=True)
class Many(_Json):
    """An array of values of one kind."""

    item: Node

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, list):
            look.wrong(path, "must be an array")
            return value
        return [self.item.check(each, (*path, number), look) for number, each in enumerate(value)]


REQUIRED: Final = object()
ABSENT: Final = object()
NOW: Final = object()
_Default = Literal["required", "absent"] | Any


@dataclass(frozen=True, slots=True)
class Member:
    """``default``: REQUIRED, ABSENT (left out until it is set), NOW, or a plain value."""

    node: Node
    default: _Default = REQUIRED


class Record(_Json):
    """An object with known members, stored in their order; closed."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self.members = members

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, dict):
            look.wrong(path, "must be an object")
            return value
        before = len(look.found)
        value = self.prepared(value, path, look)
        for name in value:
            if name not in self.members:
                look.wrong((*path, name), "is unknown")
        stored = {}
        for name, member in self.members.items():
            if name in value:
                stored[name] = member.node.check(value[name], (*path, name), look)
            elif member.default is REQUIRED:
                look.wrong((*path, name), "is missing")
            elif member.default is NOW:
                stored[name] = look.now
            elif member.default is not ABSENT:
                default = member.default  # a copy: stored documents share nothing
                stored[name] = default.copy() if isinstance(default, dict | list) else default
        return self.finished(stored, path, look) if len(look.found) == before else stored

    def prepared(self, value: dict[str, Any], path: _Path, look: Check) -> dict[str, Any]:
        """The members under their proper names."""
        return value

    def finished(self, stored: dict[str, Any], path: _Path, look: Check) -> dict[str, Any]:
        """Called when every member is good."""
        return stored


class Section(_Json):
    """An array of records with ids. An item without one gets the next after the largest."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def check(self, value: Any, path: _Path, look: Check) -> Any:
        if not isinstance(value, list):
            look.wrong(path, "must be an array")
            return value
        items = [self._item(each, (*path, number), look) for number, each in enumerate(value)]
        if all(isinstance(each, dict) for each in items):
            self._number(items, path, look)
        return items

    def _item(self, value: Any, path: _Path, look: Check) -> Any:
        return value if id(value) in look.trusted else self.record.check(value, path, look)

    def _number(self, items: list[dict[str, Any]], path: _Path, look: Check) -> None:
        given = [each["id"] for each in items if has_type(each.get("id"), int)]
        largest = max(given, default=0)
        seen: set[int] = set()
        for number, each in enumerate(items):
            if each.get("id") is None:
                largest += 1
                each["id"] = largest
                if largest > HIGHEST_INT:
                    look.wrong((*path, number, "id"), "cannot be given: the largest is taken")
            elif has_type(each["id"], int):
                if each["id"] in seen:
                    look.wrong((*path, number, "id"), "occurs twice in this section")
                seen.add(each["id"])
