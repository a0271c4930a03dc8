"""Reading what clients of the open-group face send (open-group contract, 2.2)."""

from __future__ import annotations

import json
from typing import Any, Final

from builtin_plugins.rooms.names import query_integer
from plugin_sdk import Invalid, Request

__all__ = ["header", "last_integer", "read_object"]

_MAX_DEPTH: Final = 64


def header(request: Request, name: str) -> str | None:
    """A header's value without the blanks around it; None when it was not sent."""
    value = request.headers.get(name)
    return None if value is None else value.strip(" \t")


def last_integer(request: Request, name: str) -> int | None:
    """A query parameter; of a repeated one the last counts. Raises Invalid."""
    texts = request.query.all(name)
    return query_integer(texts[-1], name) if texts else None


def _refuse_constant(word: str) -> Any:
    raise Invalid(f"The body is no JSON: {word} is no value of it.")


def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever its Content-Type. U+0000 and lone surrogates are legal
    here (they match nothing later), so this is not ``request.json``. Raises Invalid, TooLarge."""
    try:
        value = json.loads(request.read().decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"The body is no JSON: {error.msg} at character {error.pos}.") from None
    except (RecursionError, ValueError):  # ValueError: an integer of more than 4,300 digits
        raise Invalid("The body is no usable JSON: too deep, or a number too long.") from None
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.")
    if _too_deep(value):
        raise Invalid(f"The body is nested deeper than {_MAX_DEPTH} levels.")
    return value


def _too_deep(value: Any) -> bool:
    """Level by level, so that no input can exhaust the stack."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
