"""What a database holds, in the words of the SDK, so that another engine can make the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from plugin_sdk import Column

__all__ = ["IndexDescription", "TableDescription"]


@dataclass(frozen=True, slots=True)
class IndexDescription:
    """As `plugin_sdk.Table.create_index` takes it; ``-x`` is descending."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    where: str | None


@dataclass(frozen=True, slots=True)
class TableDescription:
    """As `plugin_sdk.Table.create` takes it, with what was made for the table afterwards.

    Uniqueness, also of one column, stands in ``unique``, not in the columns. ``next_number`` is
    what an identity will draw next, None without one. ``searched`` are the columns that
    `Database.enable_search` named.
    """

    name: str
    columns: Mapping[str, Column]
    pk: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[IndexDescription, ...] = ()
    next_number: int | None = None
    searched: tuple[str, ...] = ()
