"""Secrets in settings: what a schema marks ``writeOnly`` is stored, but never shown again.

A secret is shown as ``********``; sending that back leaves it as it is (accounts-and-plugins
contract, 10.7). Marks are honoured at every depth of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from plugin_sdk import Invalid

__all__ = ["MASK", "MISSING", "Secrets"]

MASK: Final = "********"


class _Missing:
    """What stands for "nothing stored"."""


MISSING: Final = _Missing()
_BRANCHES: Final = ("allOf", "anyOf", "oneOf")
_SINGLE_BRANCHES: Final = ("if", "then", "else")
_Nodes = Sequence[Mapping[str, Any]]


class Secrets:
    """The secrets of one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._any = _mentions_secrets(schema)

    def is_secret(self, name: str) -> bool:
        """Whether a property is a secret as a whole."""
        return self._any and _secret(self._below([self._root], name))

    def masked(self, name: str, value: Any) -> Any:
        """A property's value as it may be shown; an unset or empty secret is None."""
        if not self._any:
            return value
        nodes = self._below([self._root], name)
        if _secret(nodes):
            return None if value in (None, "") else MASK
        return self._mask(nodes, value)

    def restored(self, name: str, value: Any, stored: Any) -> Any:
        """A property's value as it was sent, with stored secrets in the place of their masks;
        MISSING when nothing is left. Raises Invalid for a mask that stands for nothing known."""
        if not self._any:
            return value
        return self._restore(self._below([self._root], name), value, stored)

    def _mask(self, nodes: _Nodes, value: Any) -> Any:
        if _secret(nodes):
            return value if value in (None, "") else MASK
        if isinstance(value, dict):
            return {key: self._mask(self._below(nodes, key), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._mask(self._item(nodes, n), item) for n, item in enumerate(value)]
        return value

    def _restore(self, nodes: _Nodes, value: Any, stored: Any) -> Any:
        if _secret(nodes):
            return stored if value == MASK else value
        if isinstance(value, dict):
            known = stored if isinstance(stored, dict) else {}
            items = (
                (key, self._restore(self._below(nodes, key), item, known.get(key, MISSING)))
                for key, item in value.items()
            )
            return {key: item for key, item in items if item is not MISSING}
        if isinstance(value, list):
            known_items = stored if isinstance(stored, list) else []
            if len(value) < len(known_items):
                # One was taken out: which of those that are all shown alike, nobody knows.
                alike: list[Any] = []
            else:
                alike = known_items
            return [
                self._restore_item(self._item(nodes, n), item, known_items, alike[n : n + 1])
                for n, item in enumerate(value)
            ]
        return value

    def _restore_item(
        self, nodes: _Nodes, item: Any, known: list[Any], same_place: list[Any]
    ) -> Any:
        """Entries of a list have no name: a mask means the secret of the stored entry that is
        the same in everything else, wherever it stands. Where nothing else is, the place counts."""
        if not self._has_mask(nodes, item):
            return item
        for candidates in (same_place, [] if _secret(nodes) else known):
            found = [each for each in candidates if self._mask(nodes, each) == item]
            if found and all(each == found[0] for each in found):
                return found[0]
        raise Invalid("an entry with a secret was changed: send the secret with it")

    def _has_mask(self, nodes: _Nodes, value: Any) -> bool:
        if _secret(nodes):
            return bool(value == MASK)
        if isinstance(value, dict):
            return any(self._has_mask(self._below(nodes, key), each) for key, each in value.items())
        if isinstance(value, list):
            return any(self._has_mask(self._item(nodes, n), each) for n, each in enumerate(value))
        return False

    def _below(self, nodes: _Nodes, key: str) -> _Nodes:
        """All that the schema says about a member."""
        found: list[Any] = []
        for node in nodes:
            found.append(node.get("properties", {}).get(key))
            for pattern, definition in node.get("patternProperties", {}).items():
                if re.search(pattern, key):
                    found.append(definition)
            found.append(node.get("additionalProperties"))
        return self._expanded(found)

    def _item(self, nodes: _Nodes, index: int) -> _Nodes:
        """All that the schema says about an entry of a list."""
        found: list[Any] = []
        for node in nodes:
            prefix = node.get("prefixItems", [])
            found.append(prefix[index] if index < len(prefix) else node.get("items"))
        return self._expanded(found)

    def _expanded(self, given: Sequence[Any]) -> _Nodes:
        """The definitions themselves, and what they refer to or are put together from."""
        waiting: list[Any] = list(given)
        found: list[Mapping[str, Any]] = []
        while waiting:
            node = waiting.pop()
            if not isinstance(node, Mapping) or any(node is each for each in found):
                continue
            found.append(node)
            for word in _BRANCHES:
                waiting.extend(node.get(word, ()))
            waiting.extend(node.get(word) for word in _SINGLE_BRANCHES)
            if isinstance(node.get("$ref"), str):
                waiting.append(self._resolved(node["$ref"]))
        return found

    def _resolved(self, reference: str) -> Any:
        """What a reference inside the document leads to, by JSON Pointer (RFC 6901)."""
        node: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, Mapping) else None
        return node


def _secret(nodes: _Nodes) -> bool:
    return any(node.get("writeOnly") is True for node in nodes)


def _mentions_secrets(schema: Any) -> bool:
    return any(True for _ in _marks(schema))


def _marks(node: Any) -> Iterator[None]:
    if isinstance(node, Mapping):
        if node.get("writeOnly") is True:
            yield
        for value in node.values():
            yield from _marks(value)
    elif isinstance(node, list):
        for value in node:
            yield from _marks(value)
