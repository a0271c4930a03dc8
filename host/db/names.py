"""Names: of tables and columns, and of databases."""

from __future__ import annotations

import re
from typing import Final

from plugin_sdk import Invalid

__all__ = ["HOST", "INTERNAL_PREFIX", "check_database_name", "check_identifier", "quoted"]

HOST: Final = "host"
INTERNAL_PREFIX: Final = "_stagebox_"

_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ENGINES_OWN: Final = ("sqlite_", "pg_")
_PLUGIN_ID: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
_MAX_PLUGIN_ID: Final = 64


def check_identifier(name: object, what: str = "table") -> str:
    """The name itself: a lower-case letter or ``_``, then letters, digits, ``_``; at most 63.

    Lower case, because PostgreSQL folds a name that a plugin's SQL does not quote, and SQLite
    does not; 63 is PostgreSQL's NAMEDATALEN. Raises Invalid.
    """
    if not isinstance(name, str) or _IDENTIFIER.fullmatch(name) is None:
        raise Invalid(
            f"{_short(name)} is no name for a {what}: take lower-case letters a-z, digits and "
            "underscores, no digit first, 63 at most."
        )
    if name.startswith(_ENGINES_OWN):
        raise Invalid(f"{name} is no name for a {what}: sqlite_ and pg_ belong to the engines.")
    return name


def quoted(name: str) -> str:
    """A checked name as SQL writes it, so that words of SQL can be names too."""
    return f'"{name}"'


def check_database_name(name: str) -> str:
    """``host`` or a plugin id (plugin contract, 11.2), which is safe as a folder's name."""
    if len(name) > _MAX_PLUGIN_ID or _PLUGIN_ID.fullmatch(name) is None:
        raise Invalid(f"{_short(name)} is neither a plugin id nor {HOST}: no database has it.")
    return name


def _short(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"
