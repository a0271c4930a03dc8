"""How routes of this contract are declared: below ``/api/v1``, open to all, with or without a
slash at the end (media contract, 3.2, 3.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

from builtin_plugins.media.shapes import answer, body
from plugin_sdk import route

__all__ = ["changing", "getting"]

_API: Final = "/api/v1"
_BYTES: Final = frozenset({"Stream"})
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_Schema = Mapping[str, Any]


def getting(
    path: str,
    tag: str,
    data: _Schema | None,
    query: _Schema | None = None,
    *,
    errors: Sequence[int] = (),
) -> Callable[[_Handler], _Handler]:
    """A route that reads; ``data`` is the schema inside of the envelope."""
    return route(
        "GET",
        _API + path,
        access="open",
        query=query,
        returns=None if tag in _BYTES else answer(data),
        errors=errors,
        tags=(tag,),
        trailing_slash=True,
    )


def changing(
    method: Literal["POST", "PUT", "DELETE"],
    path: str,
    tag: str,
    data: _Schema | None,
    taken: _Schema | None,
    query: _Schema | None = None,
    *,
    status: int = 200,
    errors: Sequence[int] = (),
) -> Callable[[_Handler], _Handler]:
    """A route that changes something; it reads its body by itself (3.2)."""
    return route(
        method,
        _API + path,
        access="open",
        query=query,
        returns=answer(data),
        status=status,
        errors=errors,
        tags=(tag,),
        extra=body(taken) if taken is not None else None,
        trailing_slash=True,
    )
