"""``POST /api/auth/login`` and ``/api/auth/logout``: the host's own routes, for all auth providers
(accounts-and-plugins, 2.5 and 2.6; local REST API, 3.3 and 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from host.plugins.catalog import Endpoint
from host.plugins.gate import Gate
from host.web.tokens import (
    cookie_header,
    expired_cookie_header,
    origin_evidence,
    session_cookie,
)
from plugin_sdk import (
    Clock,
    Forbidden,
    Invalid,
    Login,
    Principal,
    Request,
    Response,
    Route,
    Unauthenticated,
    parse_json,
)

__all__ = ["login_endpoints"]

_MAX_BODY: Final = 64 * 1024
_MAX_DEPTH: Final = 64


Emit = Callable[[str, Mapping[str, Any]], object]


class LoginService(Protocol):
    """The part of the access service that signs in and out."""

    def login(self, body: Mapping[str, Any], request: Request) -> Login: ...
    def logout(self, token: str) -> bool: ...


def login_endpoints(
    access: LoginService,
    clock: Clock,
    gate: Gate,
    emit: Emit = lambda _name, _data: None,
) -> tuple[Endpoint, ...]:
    """Both routes; ``gate`` bounds how many logins may wait at once. ``emit`` hears
    ``host.signed_in`` and ``host.signed_out`` with ``provider`` and ``userId``."""
    routes = _Routes(access, clock, emit)
    login = Route(
        "POST",
        "/api/auth/login",
        routes.login,
        access="open",
        query=_LOGIN_QUERY,
        returns=_LOGIN_ANSWER,
        errors=(400, 401, 403, 413, 429, 502),
        max_body=_MAX_BODY,
        summary="Sign in",
        description="The auth providers claim the body by its members. It is read by its content, "
        "whatever its Content-Type.",
        operation_id="login",
        tags=("auth",),
        extra={"requestBody": _LOGIN_BODY},
    )
    logout = Route(
        "POST",
        "/api/auth/logout",
        routes.logout,
        status=204,
        errors=(401,),
        summary="Sign out",
        description="Ends exactly the token that was sent.",
        operation_id="logout",
        tags=("auth",),
    )
    return tuple(Endpoint("host", route.path, route, gate) for route in (login, logout))


_LOGIN_QUERY: Final = {
    "type": "object",
    "properties": {
        "cookie": {
            "type": "string",
            "description": "1 sets the token as a cookie too, for pages of this host.",
        }
    },
}
_LOGIN_REQUEST: Final = {
    "title": "LoginRequest",
    "type": "object",
    "description": "Whatever an auth provider claims by its members.",
    "examples": [{"profileName": "Ada", "pin": "2718"}],
}
_LOGIN_BODY: Final = {
    "required": True,
    "content": {"application/json": {"schema": _LOGIN_REQUEST}},
}
_LOGIN_ANSWER: Final = {
    "title": "LoginResponse",
    "type": "object",
    "required": ["token", "expiresAt"],
    "properties": {
        "token": {"type": "string"},
        "expiresAt": {"type": "integer", "description": "Milliseconds since the epoch."},
    },
}


class _Routes:
    def __init__(self, access: LoginService, clock: Clock, emit: Emit) -> None:
        self._access = access
        self._clock = clock
        self._emit = emit

    def _tell(self, what: str, principal: Principal) -> None:
        self._emit(what, {"provider": principal.provider, "userId": principal.id})

    def login(self, request: Request) -> Response:
        wants_cookie = request.query.get("cookie") == "1"
        if (
            wants_cookie
            and origin_evidence(request.headers, request.scheme, request.host) == "foreign"
        ):
            # Or another site could sign a browser in as somebody else.
            raise Forbidden("Sign in from a page of this host, or without the cookie.")
        body = parse_json(request.read(), max_depth=_MAX_DEPTH)
        if not isinstance(body, dict):
            raise Invalid("The body must be a JSON object.")
        login = self._access.login(body, request)
        self._tell("host.signed_in", login.principal)
        answer = {"token": login.token, "expiresAt": login.expires_at, **login.extra}
        if not wants_cookie:
            return Response(answer)
        seconds = (login.expires_at - self._clock.ms()) // 1000
        return Response(
            answer, 200, {"Set-Cookie": cookie_header(login.token, seconds, request.scheme)}
        )

    def logout(self, request: Request) -> Response:
        if request.token is None or not self._access.logout(request.token):
            raise Unauthenticated
        self._tell("host.signed_out", request.principal)
        cookies = request.headers.get("cookie")
        if cookies and session_cookie(cookies) is not None:
            return Response.empty().with_headers(Set_Cookie=expired_cookie_header(request.scheme))
        return Response.empty()
