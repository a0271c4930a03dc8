"""Which records of the log are asked for (media contract, 3.2, 5.10): parameters are texts, trimmed
before they are checked."""

from __future__ import annotations

import re
from typing import Final

from builtin_plugins.diagnostics.records import LEVELS
from plugin_sdk import Invalid, Problem, Request

__all__ = ["MOST", "read_log_query"]

MOST: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def read_log_query(request: Request) -> tuple[int, str | None]:
    """How many records, and of which level; raises Invalid."""
    limit, level = _one(request, "limit"), _one(request, "level")
    if limit is not None and not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= MOST):
        raise _refused("limit", f"must be an integer from 1 to {MOST}")
    if level is not None and level not in LEVELS:
        raise _refused("level", f"must be one of {', '.join(LEVELS)}")
    return 100 if limit is None else int(limit), level


def _one(request: Request, name: str) -> str | None:
    sent = request.query.all(name)
    if len(sent) > 1:
        raise _refused(name, "was sent more than once")
    return sent[0].strip(" \t\r\n") if sent else None


def _refused(name: str, message: str) -> Invalid:
    return Invalid(details=[Problem(name, message)])
