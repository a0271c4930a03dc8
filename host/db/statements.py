"""What kind of statement a text is, judged by its first word, once for each text."""

from __future__ import annotations

import re
from typing import Final, Literal

from plugin_sdk import Invalid

__all__ = ["Kind", "Statements"]

Kind = Literal["read", "write", "schema", "with", "with write"]
"""``with``: only the engine can tell whether it writes; ``with write``: it did tell."""

_FIRST_WORD: Final = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
_KINDS: Final[dict[str, Kind]] = {
    "SELECT": "read",
    "VALUES": "read",
    "EXPLAIN": "read",
    "WITH": "with",
    "INSERT": "write",
    "UPDATE": "write",
    "DELETE": "write",
    "REPLACE": "write",
    "CREATE": "schema",
    "ALTER": "schema",
    "DROP": "schema",
    "REINDEX": "schema",
    "ANALYZE": "schema",
}
_ENOUGH: Final = 2000


class Statements:
    """Kinds of the statements seen so far, shared by the databases of an engine."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def kind(self, sql: str) -> Kind:
        """Raises Invalid for statements that would reach around the transaction, the plugin's
        own data or the engine's settings (BEGIN, ATTACH, PRAGMA, VACUUM, SET ...)."""
        found = self._kinds.get(sql)
        return found if found is not None else self._judge(sql)

    def is_write(self, sql: str) -> None:
        """Notes that a statement of kind ``with`` turned out to write."""
        self._kinds[sql] = "with write"

    def _judge(self, sql: str) -> Kind:
        match = _FIRST_WORD.match(sql)
        word = match[1].upper() if match else ""
        kind = _KINDS.get(word)
        if kind is None:
            if not word:
                raise Invalid("This is no SQL statement.")
            raise Invalid(
                f"{word} is no statement for here: use SELECT, INSERT, UPDATE, DELETE, CREATE, "
                "ALTER or DROP, and transaction() for transactions."
            )
        if len(self._kinds) >= _ENOUGH:  # texts made with values inside: let them not pile up
            self._kinds.clear()
        self._kinds[sql] = kind
        return kind
