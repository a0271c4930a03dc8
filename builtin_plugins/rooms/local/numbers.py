"""Whole numbers of query parameters (local REST contract, 5.2): any number of digits is legal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plugin_sdk import Query

__all__ = ["MAX_INTEGER", "PageOf", "page_of", "whole_number"]

MAX_INTEGER: Final = 2**63 - 1
"""What a database's integer holds; beyond it all numbers are alike here."""

_WHOLE: Final = re.compile(r"(-?)([0-9]+)")
_DIGITS: Final = len(str(MAX_INTEGER))
_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class PageOf:
    limit: int
    offset: int
    descending: bool


def whole_number(texts: Sequence[str]) -> int | None:
    """The first text as a number, clamped to 64 bits; None when it is no whole number or there is
    none at all."""
    match = _WHOLE.fullmatch(texts[0]) if texts else None
    if match is None:
        return None
    digits = match[2].lstrip("0") or "0"
    number = min(int(digits), MAX_INTEGER) if len(digits) <= _DIGITS else MAX_INTEGER
    return -number if match[1] else number


def page_of(query: Query) -> PageOf:
    """``limit``, ``offset`` and ``order``, each with its default for what makes no sense."""
    limit = whole_number(query.all("limit"))
    offset = whole_number(query.all("offset"))
    order = query.all("order")
    return PageOf(
        limit=_DEFAULT_LIMIT if limit is None else max(1, min(limit, _MAX_LIMIT)),
        offset=0 if offset is None else max(0, offset),
        descending=order[:1] == ("desc",),
    )
