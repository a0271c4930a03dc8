"""YAML by the 1.2 core schema (YAML 1.2.2, 10.3), from sources that nobody vouches for.

PyYAML speaks YAML 1.1, where ``Yes``, ``12:34`` and ``1979-05-04`` are no texts. So only its
parser is used: values are made here of its events, one after the other, never by recursion.
Aliases share the value that they name; what counts is the size that it has when written out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from plugin_sdk import UnreadableSong

__all__ = ["YamlFloat", "YamlInt", "parse_yaml"]

MAX_DEPTH: Final = 32
MAX_NODES: Final = 100_000
_MAX_DIGITS: Final = 400

_RESOLVED: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")
)
"""Tags of the core schema that say what is found out without them too."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS: Final = {word: word[0] in "tT" for word in "true True TRUE false False FALSE".split()}  # noqa: SIM905  # a list of words
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class YamlInt(int):
    """An integer that remembers how it was written."""

    text: str


class YamlFloat(float):
    """A number that remembers how it was written."""

    text: str


@dataclass(slots=True)
class _Node:
    """A finished value, how many nodes it has when written out, and how deep it is."""

    value: Any
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being read. ``key`` waits for its value."""

    value: Any
    anchor: str | None
    size: int = 1
    height: int = 0
    key: _Node | None = None

    def add(self, node: _Node) -> None:
        self.size += node.size
        self.height = max(self.height, node.height + 1)
        if isinstance(self.value, list):
            self.value.append(node.value)
        elif self.key is None:
            self.key = node
        else:
            name = _key(self.key.value)
            if name is not None:
                self.value[name] = node.value
            self.key = None


@dataclass(slots=True)
class _Builder:
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Node] = field(default_factory=dict)
    result: _Node | None = None
    total: int = 0

    def begin(self, value: Any, anchor: str | None) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise UnreadableSong(f"the manifest is nested deeper than {MAX_DEPTH} levels")
        self._count(1)
        self.stack.append(_Open(value, anchor))

    def end(self) -> None:
        done = self.stack.pop()
        self._finish(_Node(done.value, done.size, done.height), done.anchor)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(1)
        self._finish(_Node(_scalar(event)), event.anchor)

    def alias(self, name: str) -> None:
        node = self.anchors.get(name)
        if node is None:  # unknown, or one that contains itself
            raise UnreadableSong("the manifest has an alias that names nothing finished")
        if len(self.stack) + node.height > MAX_DEPTH:
            raise UnreadableSong(f"the manifest is nested deeper than {MAX_DEPTH} levels")
        self._count(node.size)
        self._finish(node, None)

    def _finish(self, node: _Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if self.stack:
            self.stack[-1].add(node)
        else:
            self.result = node

    def _count(self, nodes: int) -> None:
        self.total += nodes
        if self.total > MAX_NODES:
            raise UnreadableSong(f"the manifest has more than {MAX_NODES} nodes")


def parse_yaml(content: bytes) -> Any:
    """The first document of a YAML stream in UTF-8, a byte order mark tolerated. Numbers are
    `YamlInt` and `YamlFloat`; keys are texts, the last of equal ones wins; tags of the
    application are ignored. Raises UnreadableSong."""
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSong(f"the manifest is not UTF-8 (byte {error.start})") from None
    builder = _Builder()
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        for event in yaml.parse(decoded, Loader=loader):
            if isinstance(event, yaml.DocumentEndEvent):
                break
            _take(builder, event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise UnreadableSong(f"the manifest is no YAML: {error.problem}{where}") from None
    except yaml.YAMLError:
        raise UnreadableSong("the manifest is no YAML: it has a forbidden character") from None
    return None if builder.result is None else builder.result.value


def _take(builder: _Builder, event: yaml.Event) -> None:
    if isinstance(event, yaml.ScalarEvent):
        builder.scalar(event)
    elif isinstance(event, yaml.AliasEvent):
        builder.alias(event.anchor or "")
    elif isinstance(event, yaml.MappingStartEvent):
        builder.begin({}, event.anchor)
    elif isinstance(event, yaml.SequenceStartEvent):
        builder.begin([], event.anchor)
    elif isinstance(event, yaml.CollectionEndEvent):
        builder.end()


def _key(value: Any) -> str | None:
    """As text; a list or mapping as a key has no use here."""
    if isinstance(value, YamlInt | YamlFloat):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _scalar(event: yaml.ScalarEvent) -> Any:
    word = event.value
    plain = event.implicit[0] and event.tag in (None, "!")
    if not plain and event.tag not in _RESOLVED:  # quoted, or with another tag
        return word
    if word in _NULLS:
        return None
    if word in _TRUTHS:
        return _TRUTHS[word]
    return _number(word)


def _number(word: str) -> Any:
    if len(word) > _MAX_DIGITS:
        return word
    if _DECIMAL.fullmatch(word):
        return _written(YamlInt(word), word)
    if _OCTAL.fullmatch(word):
        return _written(YamlInt(word[2:], 8), word)
    if _HEX.fullmatch(word):
        return _written(YamlInt(word[2:], 16), word)
    if _FLOAT.fullmatch(word):
        return _written(YamlFloat(word), word)
    return None if _NO_NUMBER.fullmatch(word) else word


def _written(value: YamlInt | YamlFloat, word: str) -> Any:
    value.text = word
    return value
