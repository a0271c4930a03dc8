"""Schemas: one for each database, its name made from the plugin id and back."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from host.db.names import check_database_name
from plugin_sdk import Invalid

__all__ = [
    "DRAFT",
    "PREFIX",
    "SHARED",
    "TRASH",
    "draft_of",
    "lock_key",
    "name_of",
    "schema_of",
]

SHARED: Final = "stagebox"
"""The schema of what all databases use: functions."""
PREFIX: Final = "stagebox_"
TRASH: Final = "stagebox~"
"""Begins the names of schemas that were replaced or dropped while somebody still read them."""

DRAFT: Final = "stagebox+"
"""Begins the names of schemas that are being made, to take the place of others."""

_MAX: Final = 63  # PostgreSQL's NAMEDATALEN - 1
_DIGEST: Final = re.compile(r".*~[0-9a-f]{12}")
_DOLLARS: Final = re.compile(r"\$+")


def schema_of(name: str) -> str:
    """The schema of a database: ``stagebox_host``, or of the plugin ``example.sound-board``
    ``stagebox_example$sound$$board``. Raises Invalid for other names.

    A dot becomes ``$``, a dash ``$$``. That can be read back: in an id neither a dot nor a dash
    follows a dot, so of several dollars the odd one is the last. An id too long for a name ends
    in a digest; the comment on the schema says which it was.
    """
    check_database_name(name)
    schema = PREFIX + name.replace("-", "$$").replace(".", "$")
    if len(schema) <= _MAX:
        return schema
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{schema[: _MAX - 13]}~{digest}"


def name_of(schema: str, comment: str | None) -> str | None:
    """The name of the database in this schema; None when it is not one of ours."""
    if not schema.startswith(PREFIX):
        return None
    if _DIGEST.fullmatch(schema):
        name = comment or ""
    else:
        name = _DOLLARS.sub(_undo, schema.removeprefix(PREFIX))
    try:
        return name if schema_of(name) == schema else None
    except Invalid:  # somebody else's schema that begins like ours
        return None


def draft_of(name: str) -> str:
    """The schema in which a database is made anew before it takes the place of the old one."""
    return f"{DRAFT}{hashlib.sha256(schema_of(name).encode()).hexdigest()[:24]}"


def lock_key(name: str) -> int:
    """The advisory lock of a name: 64 bits, signed as PostgreSQL has them."""
    digest = hashlib.sha256(f"stagebox:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _undo(dollars: re.Match[str]) -> str:
    dashes, dot = divmod(len(dollars[0]), 2)
    return "-" * dashes + "." * dot
