"""Where the two engines' SQL differs, as values: the shared code asks here, never which engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plugin_sdk import ColumnType

__all__ = ["Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's words.

    * ``types``: the declared type of each column type. Texts compare by code point with it.
    * ``identity``: declaration of an integer primary key whose numbers are never used again.
    * ``placeholder``: of positional parameters, in statements that the shared code makes.
    * ``key_value_suffix``: behind CREATE TABLE of a table that is only read by its key.
    * ``no_limit``: what LIMIT says for "all", where OFFSET needs one.
    * ``json_check``: a CHECK condition with ``{0}`` for the column, or "" where the type checks.
    """

    types: Mapping[ColumnType, str]
    identity: str
    placeholder: str
    key_value_suffix: str
    no_limit: str
    json_check: str
