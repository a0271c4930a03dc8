"""The WSGI application that never changes: it hands each request to the current Falcon app."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final, cast

import falcon
from falcon.routing import CompiledRouter

from host.logs import new_incident
from host.plugins.catalog import Catalog
from host.web.error_bodies import Errors, Rendered, error_of_status
from host.web.exchange import EXCHANGE, Exchange, OnRequest, StaleCatalog
from host.web.filters import NOTHING, Filters, Outcome
from host.web.hosts import HostNames, HostRefused
from host.web.requests import bare_request
from host.web.responder import send
from host.web.routing import PathTable
from host.web.tools import Tools
from plugin_sdk import StageboxError, Unavailable

__all__ = ["MEMO", "Gateway", "falcon_app", "status_line"]

StartResponse = Callable[..., Any]

_TRIES: Final = 50  # each one means that the catalog was switched meanwhile

MEMO: Final = "stagebox.memo"
"""Where the server keeps, in the WSGI environment, a dict for each request: it is still the same
one when a request that had to wait is carried out again."""


class Gateway:
    """Reads the current app once for each request. ``switch`` replaces it in one assignment, so
    requests that run keep what they began with."""

    def __init__(
        self,
        table: PathTable,
        tools: Tools,
        hosts: HostNames,
        request_id: ContextVar[str],
        recorder: Callable[[], OnRequest | None],
    ) -> None:
        self._tools = tools
        self._hosts = hosts
        self._request_id = request_id
        self._recorder = recorder
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._state = (table, falcon_app(table, tools), Filters(Catalog(), tools))

    @property
    def table(self) -> PathTable:
        """Where the paths of the current catalog lead."""
        return self._state[0]

    @property
    def filters(self) -> Filters:
        """What stands before them."""
        return self._state[2]

    def switch(self, table: PathTable, filters: Filters) -> None:
        """From the next request on this table answers, behind these filters."""
        self._state = (table, falcon_app(table, self._tools), filters)

    def new_request_id(self) -> str:
        """Unique in this process, and hardly ever the same in another."""
        return f"{self._prefix}{next(self._numbers):08x}"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        exchange = Exchange(
            self.new_request_id(),
            environ["REQUEST_METHOD"],
            _decoded(environ["PATH_INFO"]),
            peer,
            start_response,
            self._recorder(),
        )
        environ[EXCHANGE] = exchange
        named = self._request_id.set(exchange.id)
        try:
            if self._hosts.allows(environ.get("HTTP_HOST"), environ["SERVER_PROTOCOL"], peer):
                body = self._answer(environ, exchange)
            else:
                exchange.shown = self.table.find(exchange.path).resource.shown
                body = self._refuse(environ, exchange, HostRefused())
        except Exception:
            # Nothing of a plugin's comes here; a fault of ours must not cost the connection.
            incident = new_incident()
            self._tools.log.exception(
                "%s %s failed in the host.",
                exchange.method,
                exchange.shown or exchange.path,
                extra={"incident": incident},
            )
            lease, exchange.lease = exchange.lease, None
            body = self._refuse(environ, exchange, StageboxError(), incident)
            if lease is not None:
                lease.release()
        finally:
            self._request_id.reset(named)
        if exchange.lease is None:
            exchange.finish()
        return body

    def _answer(self, environ: dict[str, Any], exchange: Exchange) -> Iterable[bytes]:
        """By the current app; once more when the plugin it found was on its way out, as happens
        to a request that meets a switch: it was taken from the catalog before its gate closed."""
        outcome: Outcome | None = environ.get(MEMO, {}).get("outcome")
        for _ in range(_TRIES):
            table, app, filters = self._state
            try:
                if outcome is None:
                    outcome = self._filtered(environ, exchange, table, filters)
                exchange.more = outcome.headers
                if outcome.answer is not None:
                    return self._send(exchange, outcome.answer)
                return app(environ, exchange)
            except StaleCatalog:
                if self._state[0] is table:
                    break
        error = Unavailable("This plugin is being switched off.", retry_after=1)
        return self._refuse(environ, exchange, error)

    def _filtered(
        self, environ: dict[str, Any], exchange: Exchange, table: PathTable, filters: Filters
    ) -> Outcome:
        """What the filters say; asked once, also when the request must wait for its turn."""
        if not filters.cover(exchange.path):
            return NOTHING
        query = environ.get("QUERY_STRING", "")
        params = falcon.uri.parse_query_string(query, keep_blank=True) if query else {}
        request = bare_request(environ, exchange.path, params, exchange.id)
        outcome = filters.judge(request, lambda: table.owner(exchange.path))
        if outcome.answer is not None:
            exchange.plugin_id = table.owner(exchange.path).plugin_id
            exchange.shown = table.find(exchange.path).resource.shown
            exchange.principal_id = outcome.principal_id
        memo = environ.get(MEMO)
        if memo is not None:
            memo["outcome"] = outcome
        return outcome

    def _send(self, exchange: Exchange, rendered: Rendered) -> Iterable[bytes]:
        """An answer without Falcon."""
        headers = [*rendered.headers, ("content-length", str(len(rendered.body)))]
        exchange(status_line(rendered.status), headers)
        return [] if exchange.method == "HEAD" else [rendered.body]

    def _refuse(
        self,
        environ: dict[str, Any],
        exchange: Exchange,
        error: StageboxError,
        incident: str | None = None,
    ) -> Iterable[bytes]:
        owner = self.table.owner(exchange.path)
        exchange.plugin_id = owner.plugin_id
        request = bare_request(environ, exchange.path, {}, exchange.id)
        rendered = self._tools.errors.render(error, request, owner, incident=incident)
        return self._send(exchange, rendered)


def falcon_app(table: PathTable, tools: Tools) -> falcon.App[Any, Any]:
    """A Falcon application over a table; Falcon's own errors take the host's shape."""
    # The table is what Falcon asks of a router: `find`. Nothing is ever added to it.
    app: falcon.App[Any, Any] = falcon.App(router=cast("CompiledRouter", table))
    app.resp_options.default_media_type = cast("str", None)  # an empty answer has no type

    def serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
        send(resp, _render_http_error(req, error, table, tools.errors))

    def unexpected(
        _req: falcon.Request, _resp: falcon.Response, error: Exception, _params: dict[str, Any]
    ) -> None:
        raise error  # to the gateway, which logs it

    app.set_error_serializer(serialize)
    app.add_error_handler(Exception, unexpected)
    return app


def _render_http_error(
    req: falcon.Request, error: falcon.HTTPError, table: PathTable, errors: Errors
) -> Rendered:
    exchange: Exchange = req.env[EXCHANGE]
    request = bare_request(req.env, req.path, req.params, exchange.id)
    ours = error_of_status(
        error.status_code,
        "INVALID_REQUEST" if error.status_code < 500 else "INTERNAL_ERROR",
        error.description or error.title or "The request cannot be handled.",
        dict(error.headers or {}),
    )
    return errors.render(ours, request, table.owner(req.path))


def status_line(status: int) -> str:
    """``404 Not Found``."""
    line: str = falcon.code_to_http_status(status)
    return line


def _decoded(path: str) -> str:
    """The path of a WSGI environment as text (PEP 3333 tunnels its bytes as Latin-1)."""
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace")
