"""Names of permissions: their spelling and their order (plugin contract, 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from plugin_sdk import CORE_PERMISSIONS

__all__ = ["CORE", "canonical", "from_text", "in_order", "to_text"]

CORE: Final = tuple(permission.name for permission in CORE_PERMISSIONS)
"""The permissions of the host, in their order."""

_RANK: Final = {name: rank for rank, name in enumerate(CORE)}
_OF_PLUGIN: Final = re.compile(r"[a-z][a-z0-9_.-]{1,63}:[a-z][a-z0-9_-]{0,39}")


def canonical(name: str) -> str | None:
    """The one spelling of a permission's name, whether its plugin is here or not; None for what
    is no such name."""
    if not name.isascii():  # the capital of ı is I
        return None
    if name.upper() in _RANK:
        return name.upper()
    return name.lower() if _OF_PLUGIN.fullmatch(name.lower()) else None


def in_order(names: Iterable[str]) -> list[str]:
    """Those of the host in their order, then those of plugins by name; each once."""
    return sorted(set(names), key=lambda name: (_RANK.get(name, len(CORE)), name))


def to_text(names: Iterable[str]) -> str:
    """A set of permissions as one column keeps it."""
    return " ".join(in_order(names))


def from_text(text: str) -> frozenset[str]:
    """What `to_text` was given."""
    return frozenset(text.split())
