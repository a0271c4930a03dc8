"""The engine-neutral part of search: words, and the case of letters."""

from __future__ import annotations

from typing import Any, Final

from host.db.engine import HostDatabase
from host.db.shapes import TableShape
from plugin_sdk import Invalid, parse_json

__all__ = ["TABLE", "check_searchable", "fold", "searched_columns", "words"]

TABLE: Final = "_stagebox_search"
"""Which columns of which tables are searched."""


def words(text: str) -> list[str]:
    """The words of a search text, divided by white space, folded, each once. Raises Invalid for
    what no text in a database can contain."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Invalid("A search text contains U+0000 or a lone surrogate.")
    return list(dict.fromkeys(fold(word) for word in text.split()))


def fold(text: str) -> str:
    """Simple case folding (Unicode, CaseFolding.txt, statuses C and S): character by character.

    So Ä is ä and Σ, σ, ς are one, but ß is not ss; accents count. Full folding would change
    lengths, which neither FTS5 nor PostgreSQL's pg_c_utf8 does.
    """
    folded = text.casefold()
    if len(folded) == len(text):  # folding never shortens: each character became one
        return folded
    return "".join(map(_fold_character, text))


def _fold_character(char: str) -> str:
    for folded in (char.casefold(), char.lower()):
        if len(folded) == 1:
            return folded
    return char


def check_searchable(shape: TableShape, columns: list[str]) -> None:
    """Raises Invalid unless the table has one primary key and the columns are texts of it."""
    if len(shape.pk) != 1:
        raise Invalid(f"Searching {shape.name} needs a primary key of one column.")
    if not columns:
        raise Invalid(f"Searching {shape.name} needs a column.")
    shape.check(columns)
    for name in columns:
        if shape.columns[name].type != "text":
            raise Invalid(f"{shape.name}.{name} is no text column and cannot be searched.")


def searched_columns(database: HostDatabase, table: str) -> list[str]:
    """The columns that `enable_search` named. Raises Invalid when it was not called."""
    row = database.table(TABLE).get(table)
    if row is None:
        raise Invalid(f"Search is not enabled for {table}: call enable_search in a migration.")
    columns: list[Any] = parse_json(row["columns"])
    return [str(column) for column in columns]
