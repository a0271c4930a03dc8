"""One request on its way through a plugin: gate, identity, permission, body, query, handler.

The order of judgement is that of the contract (accounts-and-plugins, 1.1): path and method were
judged by the router; then 401, 403, 413, 415, 400, and what the handler says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final

import falcon

from host.logs import plugin_id
from host.plugins.catalog import Endpoint
from host.plugins.gate import GateClosed
from host.web.bodies import body_plan
from host.web.error_bodies import Owner, Rendered
from host.web.exchange import EXCHANGE, Exchange, StaleCatalog
from host.web.forms import UploadedFile
from host.web.guards import Guard
from host.web.headers import EnvironHeaders, is_private
from host.web.leases import Lease
from host.web.queries import QuerySchema
from host.web.requests import (
    BodyReader,
    ServedRequest,
    bare_request,
    raw_query,
    request_host,
)
from host.web.tools import Deed, Tools
from plugin_sdk import ANONYMOUS, Principal, Query, Request, Response, StageboxError

__all__ = ["Options", "Refuser", "Responder", "send"]


_WAKE: Final = "stagebox.wake"
"""Where the server leaves what has a request that must wait carried out again."""


class Responder:
    """Answers one endpoint. Everything that the declaration says is compiled here, once."""

    def __init__(
        self,
        endpoint: Endpoint,
        fields: tuple[tuple[str, str], ...],
        tools: Tools,
        guard: Guard | None,
        shown: str = "",
    ) -> None:
        """``shown`` is what logs say in place of a path that holds a secret."""
        route = endpoint.route
        self.owner: Owner = endpoint
        self._max_body = route.max_body
        self._fields = fields
        """Pairs of the name in the template and the name by which the router knows the field."""
        self._tools = tools
        self._admit = tools.doorkeeper.admit
        self._write = tools.answers.write
        self._gate = endpoint.gate
        self._guard = guard
        self._plugin_id = endpoint.plugin_id
        self._handler = route.handler
        self._level = route.access
        self._permission = route.permission
        anybody = route.access == "open" and route.permission is None
        self._nobody = anybody and not route.identify
        self._may_wait = anybody and route.method == "GET" and not route.audited
        """Whether who asks is looked up only when the handler wants to know: nothing depends on
        it, and a handler of GET changes nothing that it depends on."""
        self._body = body_plan(route)
        self._has_body = route.method != "GET"  # one that comes along means nothing
        self._query = QuerySchema(route.query) if route.query is not None else None
        self._private = is_private(endpoint.path)
        self._summary = route.summary
        self._shown = shown
        self._on_deed = tools.on_deed if route.audited else None

    @property
    def max_body(self) -> int:
        """Bytes that a request may carry."""
        limit = self._max_body
        return limit if isinstance(limit, int) else limit()

    def _note(self, request: Request, result: Any) -> None:
        """Leaves a row in the audit trail, before the answer is sent."""
        refused = isinstance(result, Response) and result.status >= 400
        if self._on_deed is not None and not refused:
            action = f"{request.method} {request.path}"
            deed = Deed(action, self._summary, request.principal, self._plugin_id, request.peer)
            self._on_deed(deed)

    def __call__(self, req: falcon.Request, resp: falcon.Response, **captured: str) -> None:
        exchange: Exchange = req.env[EXCHANGE]
        exchange.plugin_id = self._plugin_id
        if self._shown:
            exchange.shown = self._shown
        gate = self._gate
        try:
            gate.enter(wake=req.env.get(_WAKE))
        except GateClosed:
            raise StaleCatalog from None
        except StageboxError as error:
            self._refuse(req, resp, error, captured, leased=False)
            return
        named = plugin_id.set(exchange.plugin_id)
        files: list[UploadedFile] = []
        lease: Lease | None = None
        failed = False
        inside = False

        def hold() -> Lease:
            closers = tuple(upload.close for upload in files)
            exchange.lease = Lease(gate, exchange.started, (*closers, exchange.finish))
            return exchange.lease

        try:
            asked: Request | None = None
            if self._guard is not None and self._guard.covers(req.path):
                asked = self._asked(self._guard, req, captured)
                inside = True
                self._guard.ask(asked)
                inside = False
            request = self._request(req, exchange, captured, files, asked)
            inside = True
            result = self._handler(request)
            if self._on_deed is not None:
                self._note(request, result)
            lease = self._write(req, resp, result, hold)
            if self._private:
                _never_store(resp)
            if lease is not None and lease.threadless:
                lease.give_slot_back()
        except (Exception, SystemExit) as error:
            failed = inside and (not isinstance(error, StageboxError) or error.status == 500)
            self._refuse(req, resp, error, captured, inside=inside)
        finally:
            plugin_id.reset(named)
            if lease is None:
                exchange.lease = None
                for upload in files:
                    upload.close()
                gate.leave(failed=failed, seconds=perf_counter() - exchange.started)

    def _request(
        self,
        req: falcon.Request,
        exchange: Exchange,
        captured: Mapping[str, str],
        files: list[UploadedFile],
        asked: Request | None,
    ) -> Request:
        env = req.env
        request = ServedRequest.of(env, self._whoever)
        request.put("path", req.path)
        request.put("id", exchange.id)
        if captured:
            request.put("params", self._params(captured))
        if not self._may_wait or _names_somebody(env):
            principal, token = self._identify(env, asked)
            request.put("principal", principal)
            request.put("token", token)
            exchange.principal_id = principal.id
        if self._has_body:
            reader = BodyReader(env, self.max_body)
            request.put("read", reader)
            if self._body is not None:
                body, form = self._body.read(env, reader, files)
                request.put("body", body)
                request.put("form", form)
        if req.query_string or self._query:
            request.put("query", self._read_query(req))
        return request

    def _identify(
        self, env: Mapping[str, Any], asked: Request | None
    ) -> tuple[Principal, str | None]:
        if self._nobody:
            return ANONYMOUS, None
        if asked is not None and asked.token is not None and asked.principal.signed_in:
            # no second look at the token
            self._tools.doorkeeper.authorise(asked.principal, self._level, self._permission)
            return asked.principal, asked.token
        return self._admit(
            env["REQUEST_METHOD"],
            env.get("REMOTE_ADDR", ""),
            env["wsgi.url_scheme"],
            request_host(env),
            EnvironHeaders(env),
            self._level,
            self._permission,
            env.get("HTTP_AUTHORIZATION"),
            env.get("HTTP_COOKIE"),
        )

    def _whoever(self, env: Mapping[str, Any]) -> Principal:
        """Who asks an open route, for a handler that wants to know."""
        return self._identify(env, None)[0]

    def _asked(self, guard: Guard, req: falcon.Request, captured: Mapping[str, str]) -> Request:
        exchange: Exchange = req.env[EXCHANGE]
        bare = bare_request(req.env, req.path, req.params, exchange.id, self._params(captured))
        return guard.identified(bare, req.env.get("HTTP_AUTHORIZATION"))

    def _read_query(self, req: falcon.Request) -> Query:
        if self._query is not None:
            return self._query.read(req.params)
        return Query(raw_query(req.params))

    def _params(self, captured: Mapping[str, str]) -> Mapping[str, str]:
        return {name: captured[key] for name, key in self._fields}

    def _refuse(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        error: BaseException,
        captured: Mapping[str, str],
        *,
        leased: bool = True,
        inside: bool = False,
    ) -> None:
        exchange: Exchange = req.env[EXCHANGE]
        request = bare_request(req.env, req.path, req.params, exchange.id, self._params(captured))
        errors = self._tools.errors
        rendered = errors.answer(
            error, request, self.owner, inside=inside, leased=leased, shown=self._shown
        )
        send(resp, rendered)


class _Handless:
    """What answers in an owner's name without a handler; its guard may refuse that, too."""

    max_body: Final = 1024 * 1024

    def __init__(self, owner: Owner, guard: Guard | None, shown: str) -> None:
        self.owner = owner
        self._shown = shown
        self._guard = guard

    def _refusal(self, req: falcon.Request) -> Rendered | None:
        exchange: Exchange = req.env[EXCHANGE]
        exchange.plugin_id = self.owner.plugin_id
        exchange.shown = self._shown
        return None if self._guard is None else self._guard.refusal(req)


class Refuser(_Handless):
    """Answers what nobody declared: an unknown path or method, in the shape of the path's owner."""

    def __init__(
        self,
        owner: Owner,
        make: Callable[[], StageboxError],
        tools: Tools,
        guard: Guard | None = None,
        shown: str = "",
    ) -> None:
        super().__init__(owner, guard, shown)
        self._make = make
        self._tools = tools

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_captured: str) -> None:
        refusal = self._refusal(req)
        if refusal is None:
            request = bare_request(req.env, req.path, req.params, req.env[EXCHANGE].id)
            refusal = self._tools.errors.render(self._make(), request, self.owner)
        send(resp, refusal)


class Options(_Handless):
    """Answers OPTIONS: which methods there are, to everybody."""

    def __init__(
        self, owner: Owner, allow: str, guard: Guard | None = None, shown: str = ""
    ) -> None:
        super().__init__(owner, guard, shown)
        self._allow = allow

    def __call__(self, req: falcon.Request, resp: falcon.Response, **_captured: str) -> None:
        refusal = self._refusal(req)
        if refusal is not None:
            send(resp, refusal)
            return
        resp.data = b""
        resp.set_header("Allow", self._allow)
        _never_store(resp)


def send(resp: falcon.Response, rendered: Rendered) -> None:
    """Puts a finished answer into a response."""
    resp.status = rendered.status
    resp.data = rendered.body
    for name, value in rendered.headers:
        if name == "set-cookie":
            resp.append_header(name, value)
        else:
            resp.set_header(name, value)


def _names_somebody(env: Mapping[str, Any]) -> bool:
    return "HTTP_AUTHORIZATION" in env or "HTTP_COOKIE" in env


def _never_store(resp: falcon.Response) -> None:
    if resp.get_header("cache-control") is None:
        resp.set_header("Cache-Control", "no-store")
