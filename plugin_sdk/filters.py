"""Request filters: what stands before the routes of several plugins at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plugin_sdk.http import Request, Response

__all__ = ["RequestFilter", "Verdict"]

Verdict = Response | Mapping[str, str] | None
"""What a filter says: an answer, at once; headers for whatever answer comes; or nothing."""


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Stands before everything at or below ``paths``, whoever owns it: routes, unknown paths,
    wrong methods, bodies that are too large, WebSocket handshakes. For bundled plugins.

    * ``paths`` match whole segments; ``/`` stands for all.
    * ``call(request)`` runs after the Host check and before the plugin is looked for; the body is
      not read. It may raise, which refuses the request in the shape of the path's owner; return a
      `Response` (JSON, text or nothing: no file and no stream), which is the answer; or return
      headers, which are put on whatever answer comes, refusals of later filters included. A
      header that the answer has already stays as it is, but ``Vary`` is joined.
    * ``order``: the lowest is asked first; of equal ones, the plugin that started first.
    * ``identify``: ``request.principal`` and ``request.token`` are those of who asks, looked up
      when the filter looks at them. A token that nobody knows is an anonymous principal.

    An exception that nobody meant refuses the request with 500. A handshake whose ``Origin`` is of
    another site is let through where the headers have an ``Access-Control-Allow-Origin`` that
    names it (Fetch standard, "CORS protocol").
    """

    paths: Sequence[str]
    call: Callable[[Request], Verdict]
    order: int = 100
    identify: bool = False
