"""SQL texts: ``:named`` and ``?`` parameters become PostgreSQL's ``$1``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plugin_sdk import Invalid

__all__ = ["Text", "Texts", "named", "positional"]

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html
_TOKEN: Final = re.compile(
    r"""
      \b[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'           # a text with escapes
    | '[^']*'                                         # a text; '' makes two of them
    | "[^"]*"                                         # a name
    | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$      # a text between dollars
    | --[^\n]*
    | /\*                                             # a comment, which may hold another
    | ::                                              # a cast
    | :(?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_ENOUGH: Final = 2000


@dataclass(frozen=True, slots=True)
class Text:
    """A statement as PostgreSQL takes it, and which parameter stands at ``$1``, ``$2`` ..."""

    sql: bytes
    names: tuple[str, ...] = ()

    def values(self, params: Mapping[str, Any]) -> list[Any]:
        """In the order of the numbers. Raises Invalid when one is missing."""
        try:
            return [params[name] for name in self.names]
        except KeyError as error:
            raise Invalid(f"The statement needs a parameter :{error.args[0]}.") from None


def named(sql: str) -> Text:
    """A name that occurs twice is one parameter. What stands in texts, quoted names and comments
    is left alone, as are casts (``::``). Raises Invalid for U+0000 and lone surrogates."""
    parts: list[str] = []
    names: dict[str, int] = {}
    begin = position = 0
    while (token := _TOKEN.search(sql, position)) is not None:
        position = token.end()
        name = token["name"]
        if name is not None:
            number = names.setdefault(name, len(names) + 1)
            parts += sql[begin : token.start()], f"${number}"
            begin = position
        elif token[0] == "/*":
            position = _end_of_comment(sql, position)
    parts.append(sql[begin:])
    return Text(_encoded("".join(parts)), tuple(names))


def positional(sql: str) -> Text:
    """For statements that the host makes of checked names: no ``?`` in them is anything else."""
    first, *others = sql.split("?")
    marks = (f"${number}{text}" for number, text in enumerate(others, 1))
    return Text(_encoded(first + "".join(marks)))


def _encoded(sql: str) -> bytes:
    if "\0" in sql:
        raise Invalid("A statement contains U+0000.")
    try:
        return sql.encode()
    except UnicodeEncodeError:
        raise Invalid("A statement contains a lone surrogate.") from None


def _end_of_comment(sql: str, position: int) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, position)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return len(sql) if depth else position


class Texts:
    """Statements translated so far, shared by the databases of an engine."""

    def __init__(self) -> None:
        self._named: dict[str, Text] = {}
        self._positional: dict[str, Text] = {}

    def named(self, sql: str) -> Text:
        return self._named.get(sql) or _kept(self._named, sql, named(sql))

    def positional(self, sql: str) -> Text:
        return self._positional.get(sql) or _kept(self._positional, sql, positional(sql))


def _kept(known: dict[str, Text], sql: str, text: Text) -> Text:
    if len(known) >= _ENOUGH:  # texts made with values inside: let them not pile up
        known.clear()
    known[sql] = text
    return text
