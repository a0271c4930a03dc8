"""A plugin's ``guard``: asked before anything else is judged about a request below its prefixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import falcon

from host.logs import log_context
from host.plugins.catalog import Published
from host.plugins.gate import GateClosed
from host.web.error_bodies import Rendered
from host.web.exchange import EXCHANGE, Exchange, StaleCatalog
from host.web.requests import NO_PARAMS, bare_request
from host.web.tools import Tools
from plugin_sdk import Plugin, Principal, Request, StageboxError

__all__ = ["Guard"]


class Guard:
    """What one plugin's ``guard`` says. ``ask`` raises to refuse; call it with a lease held."""

    def __init__(
        self, published: Published, ask: Callable[[Request], object], tools: Tools
    ) -> None:
        self.ask = ask
        plugin = published.plugin
        prefixes = () if plugin is None else plugin.guarded
        self._everywhere = "/" in prefixes
        self._prefixes = tuple(prefix.rstrip("/") for prefix in prefixes)
        self._published = published
        self._tools = tools

    @classmethod
    def of_plugin(cls, published: Published, tools: Tools) -> Guard | None:
        """None for a plugin that does not guard anything."""
        plugin = published.plugin
        if plugin is None or type(plugin).guard is Plugin.guard:
            return None
        return cls(published, plugin.guard, tools)

    def covers(self, path: str) -> bool:
        """Whether the plugin wants to be asked about this path."""
        return self._everywhere or any(
            path == prefix or path.startswith(prefix + "/") for prefix in self._prefixes
        )

    def identified(self, request: Request, authorization: str | None) -> Request:
        """The request with its principal, whatever the route will ask of that."""
        principal, token = self._admit(request, authorization)
        return replace(request, principal=principal, token=token)

    def refusal(
        self, req: falcon.Request, fields: Mapping[str, str] = NO_PARAMS
    ) -> Rendered | None:
        """For what no handler answers: unknown paths and methods. None lets it pass."""
        if not self.covers(req.path):
            return None
        exchange: Exchange = req.env[EXCHANGE]
        request = bare_request(req.env, req.path, req.params, exchange.id, fields)
        errors, gate = self._tools.errors, self._published.gate
        try:
            gate.enter()
        except GateClosed:
            raise StaleCatalog from None
        except StageboxError as error:
            return errors.render(error, request, self._published)
        failed, inside = False, False
        try:
            request = self.identified(request, req.env.get("HTTP_AUTHORIZATION"))
            exchange.principal_id = request.principal.id
            with log_context(plugin=self._published.plugin_id):
                inside = True
                self.ask(request)
            return None
        except (Exception, SystemExit) as error:
            failed = inside and (not isinstance(error, StageboxError) or error.status == 500)
            return errors.answer(error, request, self._published, inside=inside, leased=True)
        finally:
            gate.leave(failed=failed)

    def _admit(self, request: Request, authorization: str | None) -> tuple[Principal, str | None]:
        return self._tools.doorkeeper.admit(
            request.method,
            request.peer,
            request.scheme,
            request.host,
            request.headers,
            "open",
            None,
            authorization,
            request.headers.get("cookie"),
        )
