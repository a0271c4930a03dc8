"""How routes of this contract are declared: below ``/api/v1``, open to all, with or without a
slash at the end (media contract, 3.2, 3.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

from builtin_plugins.media.shapes import answer, body
from plugin_sdk import route

__all__ = ["changing", "getting"]

_API: Final = "/api/v1"
_TAGS: Final = {
    "search": "Search",
    "movies": "Movies",
    "tvshows": "TV Shows",
    "stream": "Stream",
    "image": "Stream",
    "library": "Library",
    "scan": "Scan",
    "settings": "Settings",
}
"""By the first segment of a path."""
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_Schema = Mapping[str, Any]


def getting(
    path: str,
    data: _Schema | None,
    query: Sequence[_Schema] = (),
    *,
    errors: Sequence[int] = (),
) -> Callable[[_Handler], _Handler]:
    """A route that reads; ``data`` is the schema inside of the envelope, None for one that answers
    with bytes. ``query`` are parameters that it reads by itself (3.2)."""
    return route(
        "GET",
        _API + path,
        access="open",
        returns=None if data is None else answer(data),
        errors=errors,
        tags=(_tag(path),),
        extra=_extra(None, query),
        trailing_slash=True,
    )


def changing(
    method: Literal["POST", "PUT", "DELETE"],
    path: str,
    data: _Schema | None,
    taken: _Schema | None,
    query: Sequence[_Schema] = (),
    *,
    status: int = 200,
    errors: Sequence[int] = (),
) -> Callable[[_Handler], _Handler]:
    """A route that changes something; it reads its body by itself (3.2)."""
    return route(
        method,
        _API + path,
        access="open",
        returns=answer(data),
        status=status,
        errors=errors,
        tags=(_tag(path),),
        extra=_extra(taken, query),
        trailing_slash=True,
    )


def _tag(path: str) -> str:
    return _TAGS[path.split("/")[1]]


def _extra(taken: _Schema | None, query: Sequence[_Schema]) -> dict[str, Any]:
    """Members of the OpenAPI operation for what the route reads by itself."""
    extra = body(taken, required="required" in taken) if taken is not None else {}
    return {**extra, "parameters": [dict(each) for each in query]} if query else extra
