"""The web layer as the application composes it: publishing, serving, and what the server asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace

from host.plugins.catalog import Catalog, Endpoint, Published
from host.web.error_bodies import HOST, Owner, error_of_status
from host.web.exchange import OnRequest, RequestRecord, StaleCatalog
from host.web.filters import NOTHING, Filters, Outcome
from host.web.gateway import Gateway
from host.web.headers import NO_SNIFFING, add_headers
from host.web.hosts import HostNames
from host.web.routing import PathTable, RouteSet
from host.web.tokens import AccessControl, Doorkeeper
from host.web.tools import OnDeed, Tools
from host.web.upgrades import Upgrades
from plugin_sdk import Logger, Request

__all__ = ["WebLayer"]


class WebLayer:
    """HTTP and WebSocket in front of the plugins of one catalog after the other.

    * ``gateway`` is the WSGI application, ``upgrades`` the WebSocket application; neither
      object ever changes.
    * ``publish(catalog)`` switches both.
    * ``request_id`` is set while a request runs, for the log.
    * ``host_routes`` are the host's own; see `host.web.login.login_endpoints`.
    * ``allowed_hosts`` gives the further names that this host answers to, ``listening`` the
      addresses that it listens on.
    * ``on_request`` is told of every answer while ``recording`` says so; it must be quick.
    * ``on_deed`` keeps what belongs into the audit trail.
    """

    def __init__(
        self,
        access: AccessControl,
        log: Logger,
        *,
        request_id: ContextVar[str],
        host_routes: Sequence[Endpoint] = (),
        allowed_hosts: Callable[[], frozenset[str]] = frozenset,
        listening: Iterable[str] = (),
        on_request: OnRequest | None = None,
        recording: Callable[[], bool] = lambda: True,
        on_deed: OnDeed | None = None,
    ) -> None:
        hosts = self._hosts = HostNames(allowed_hosts, listening)
        told = None if on_request is None else _fenced(on_request, log)

        def recorder() -> OnRequest | None:
            return told if recording() else None

        self._log = log
        self._recorder = recorder
        self._tools = Tools(Doorkeeper(access), log, on_deed)
        paths = tuple(endpoint.path for endpoint in host_routes)
        self._host_set = RouteSet(HOST, host_routes, (), paths, self._tools)
        self._compiled: dict[str, tuple[Published, RouteSet]] = {}
        self._lock = threading.Lock()
        table = PathTable([self._host_set], self._tools)
        self.gateway = Gateway(table, self._tools, hosts, request_id, recorder)
        self.upgrades = Upgrades(self._tools, hosts, self.gateway, recorder)

    @property
    def host_paths(self) -> tuple[str, ...]:
        """The paths that are the host's own: no plugin may claim them."""
        return self._host_set.claims

    def check(self, published: Published) -> None:
        """Compiles a plugin's routes ahead of publishing. Raises Invalid with a sentence for its
        author when they cannot be mounted."""
        routes = RouteSet.of_plugin(published, self._tools)
        with self._lock:
            self._compiled[published.plugin_id] = (published, routes)

    def publish(self, catalog: Catalog) -> None:
        """Makes the routes of exactly these plugins answer, from the next request on."""
        with self._lock:
            compiled = {
                plugin_id: (published, self._routes_of(published))
                for plugin_id, published in catalog.plugins.items()
            }
            sets = [routes for _, routes in compiled.values()]
            table = PathTable([self._host_set, *sets], self._tools)
            self._compiled = compiled
            self.upgrades.switch(catalog)
            self.gateway.switch(table, Filters(catalog, self._tools))

    def body_limit(self, method: str, path: str) -> int:
        """Bytes that a request may carry; ``path`` is percent-decoded. 1 MiB where nobody
        declared anything."""
        return self.gateway.table.find(path).methods[method].max_body

    def render_error(
        self,
        status: int,
        code: str,
        message: str,
        path: str,
        headers: Mapping[str, str],
        head: Request | None = None,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of an error that the server found before there was a request
        to speak of, in the shape of whoever owns the path. ``head`` is what could be read of it:
        filters have their say about that first. Content-Length and Connection are the server's,
        and so is Upgrade."""
        owner = self.gateway.table.owner(path)
        request = replace(head or Request(path=path, peer=""), id=self.gateway.new_request_id())
        outcome = NOTHING if head is None else self._filtered(request, owner)
        error = error_of_status(status, code, message)
        rendered = outcome.answer or self._tools.errors.render(error, request, owner)
        record = self._recorder()
        if record is not None:
            plugin_id = owner.plugin_id
            shown = self.gateway.table.find(path).resource.shown or path
            method, peer = "-" if head is None else head.method, request.peer
            record(
                RequestRecord(
                    method, shown, rendered.status, 0.0, request.id, plugin_id, "", peer, 0
                )
            )
        named = {name.lower() for name in headers}
        found = [pair for pair in rendered.headers if pair[0] not in named]
        found += headers.items()
        add_headers(found, outcome.headers)
        found += [NO_SNIFFING, ("X-Request-Id", request.id)]
        return rendered.status, found, rendered.body

    def _filtered(self, request: Request, owner: Owner) -> Outcome:
        if not self._hosts.allows(request.headers.get("host"), "HTTP/1.1", request.peer):
            return NOTHING
        try:
            return self.gateway.filters.judge(request, lambda: owner)
        except StaleCatalog:
            return NOTHING

    def _routes_of(self, published: Published) -> RouteSet:
        known = self._compiled.get(published.plugin_id)
        if known is not None and known[0] is published:
            return known[1]
        try:
            return RouteSet.of_plugin(published, self._tools)
        except Exception:
            # `check` tells this earlier, and to the right person; one plugin's mistake must not
            # keep the others from being published.
            self._log.exception(
                "The routes of this plugin cannot be mounted; none of them answers.",
                extra={"plugin": published.plugin_id},
            )
            return RouteSet(published, (), (), published.claims, self._tools)


def _fenced(on_request: OnRequest, log: Logger) -> OnRequest:
    """A log that fails must not cost the answer that it tells of."""

    def call(record: RequestRecord) -> None:
        try:
            on_request(record)
        except Exception:
            log.exception("The access log failed.")

    return call
