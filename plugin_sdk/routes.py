"""Routes: what a plugin answers over HTTP and WebSocket, and the decorators that declare it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from plugin_sdk.access import CORE_PERMISSIONS, Access
from plugin_sdk.http import Request
from plugin_sdk.realtime import Connection

__all__ = [
    "ANY_TYPE",
    "JSON",
    "MULTIPART",
    "Method",
    "Route",
    "Schema",
    "WebSocketRoute",
    "route",
    "route_declarations",
    "websocket",
]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Schema = Mapping[str, Any]
"""A JSON Schema, draft 2020-12."""

JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
ANY_TYPE: Final = "*/*"
"""As a value of ``consumes``: a JSON body whatever its Content-Type, parsed by content."""

_MARK = "__stagebox_routes__"
_CORE_NAMES: Final = frozenset(permission.name for permission in CORE_PERMISSIONS)
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route. One declaration drives validation, authorisation and OpenAPI.

    * ``path``: ``/sounds/{name}``; a last ``{rest:path}`` takes everything that follows. It is
      appended to the plugin's prefix.
    * ``access``: ``open`` for everybody; ``signed-in``, the default, also for the local
      administrator of a host without accounts; ``token`` only with one; ``profile`` only with that
      of a profile. ``permission`` names one that the caller must hold.
    * ``identify``: False spares an open route the look-up of a token that it does not care for;
      ``request.principal`` is anonymous then.
    * ``body``: schema of a JSON body, which is required unless ``body_required`` is False (then
      an absent body is None). Without it the host reads nothing: use ``request.json()``.
    * ``consumes``: the media types that the route takes, where it has a body.
    * ``query``: an object schema; each parameter is made an integer, number, boolean or array as
      its property says, checked, and filled with the property's ``default``.
    * ``returns``: schema of the JSON answer with status ``status``, for the documentation.
    * ``errors``: further statuses that the route answers, for the documentation.
    * ``max_body``: in bytes, or what tells them for each request, quickly; a larger body is 413
      before it is read.
    """

    method: Method
    path: str
    handler: Callable[[Request], Any]
    access: Access = "signed-in"
    permission: str | None = None
    body: Schema | None = None
    body_required: bool = True
    consumes: Sequence[str] = (JSON,)
    query: Schema | None = None
    returns: Schema | None = None
    status: int = 200
    errors: Sequence[int] = ()
    max_body: int | Callable[[], int] = 1024 * 1024
    summary: str = ""
    description: str = ""
    operation_id: str | None = None
    tags: Sequence[str] = ()
    documented: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More members for the OpenAPI operation object."""
    audit: bool | None = None
    """Whether a success leaves a row in the host's audit trail; unless said, what changes
    something by a permission of the host's own does."""
    trailing_slash: bool = False
    """Whether the path with one slash more is the same route; else that is an unknown path."""
    identify: bool = True
    secret_path: bool = False
    """Whether the path's fields are secrets: logs show the template in its place."""

    @property
    def audited(self) -> bool:
        """What ``audit`` comes to."""
        if self.audit is not None:
            return self.audit
        return self.method != "GET" and self.permission in _CORE_NAMES


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """A WebSocket route (RFC 6455). ``max_message`` is in bytes (larger: close 1009),
    ``max_queue`` the bytes that may wait for a slow client (more: close 1013), ``ping_interval``
    seconds between pings (two without an answer: closed), ``max_connections`` more get 503."""

    path: str
    handler: Callable[[Connection], object]
    access: Access = "signed-in"
    permission: str | None = None
    max_message: int = 64 * 1024
    max_queue: int = 1024 * 1024
    ping_interval: float = 30.0
    max_connections: int = 4096
    summary: str = ""


def _mark(handler: _Handler, declared: Route | WebSocketRoute) -> _Handler:
    setattr(handler, _MARK, (*getattr(handler, _MARK, ()), declared))
    return handler


def route(
    method: Method,
    path: str,
    *,
    access: Access = "signed-in",
    permission: str | None = None,
    body: Schema | None = None,
    body_required: bool = True,
    consumes: str | Sequence[str] = JSON,
    query: Schema | None = None,
    returns: Schema | None = None,
    status: int = 200,
    errors: Sequence[int] = (),
    max_body: int | Callable[[], int] = 1024 * 1024,
    summary: str = "",
    operation_id: str | None = None,
    tags: Sequence[str] = (),
    documented: bool = True,
    extra: Mapping[str, Any] | None = None,
    audit: bool | None = None,
    trailing_slash: bool = False,
    identify: bool = True,
    secret_path: bool = False,
) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, request: Request)`` as a route; see `Route` for the words.

    Summary and description default to the first line and the rest of its docstring.
    """

    def mark(handler: _Handler) -> _Handler:
        doc = (handler.__doc__ or "").strip()
        head, _, rest = doc.partition("\n")
        declared = Route(
            method=method,
            path=path,
            handler=handler,
            access=access,
            permission=permission,
            body=body,
            body_required=body_required,
            consumes=(consumes,) if isinstance(consumes, str) else tuple(consumes),
            query=query,
            returns=returns,
            status=status,
            errors=tuple(errors),
            max_body=max_body,
            summary=summary or head,
            description="\n".join(line.strip() for line in rest.strip().splitlines()),
            operation_id=operation_id,
            tags=tuple(tags),
            documented=documented,
            extra=dict(extra or {}),
            audit=audit,
            trailing_slash=trailing_slash,
            identify=identify,
            secret_path=secret_path,
        )
        return _mark(handler, declared)

    return mark


def websocket(
    path: str,
    *,
    access: Access = "signed-in",
    permission: str | None = None,
    max_message: int = 64 * 1024,
    max_queue: int = 1024 * 1024,
    ping_interval: float = 30.0,
    max_connections: int = 4096,
) -> Callable[[_Handler], _Handler]:
    """Marks a method ``(self, connection: Connection)`` as a WebSocket route (capability
    ``websocket``). It is called once for each connection, when that is open."""

    def mark(handler: _Handler) -> _Handler:
        summary = (handler.__doc__ or "").strip().partition("\n")[0]
        return _mark(
            handler,
            WebSocketRoute(
                path,
                handler,
                access,
                permission,
                max_message,
                max_queue,
                ping_interval,
                max_connections,
                summary,
            ),
        )

    return mark


def route_declarations(handler: Callable[..., Any]) -> tuple[Route | WebSocketRoute, ...]:
    """What `route` and `websocket` noted on a function."""
    declared: tuple[Route | WebSocketRoute, ...] = getattr(handler, _MARK, ())
    return declared
