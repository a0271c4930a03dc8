"""WebSocket upgrades: who may connect, and the plugin's callbacks behind a fence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, quote
from weakref import WeakSet

from host.logs import log_context
from host.plugins.catalog import Catalog, Published, WebSocketEndpoint
from host.plugins.gate import Gate, GateClosed
from host.plugins.hooks import fenced
from host.web.error_bodies import HOST, Owner, Rendered
from host.web.exchange import OnRequest, RequestRecord, StaleCatalog
from host.web.filters import Filters, Outcome
from host.web.guards import Guard
from host.web.handshake import Handshake, Refusal
from host.web.headers import NO_SNIFFING, add_headers
from host.web.hosts import HostNames, HostRefused
from host.web.tokens import origin_evidence
from host.web.tools import Tools
from plugin_sdk import (
    Connection,
    Forbidden,
    Headers,
    NotFound,
    Query,
    Request,
    StageboxError,
    Unavailable,
    WebSocketRoute,
)

__all__ = ["Session", "Upgrades"]


_TRIES: Final = 3


class Front(Protocol):
    """What stands before all routes: where a request gets its id, and the filters."""

    @property
    def filters(self) -> Filters: ...
    def new_request_id(self) -> str: ...


class Door:
    """One WebSocket route of one active plugin, and how many went through it."""

    __slots__ = ("_count", "_lock", "endpoint", "guard", "published")

    def __init__(
        self, endpoint: WebSocketEndpoint, published: Published, guard: Guard | None
    ) -> None:
        self.endpoint = endpoint
        self.published = published
        self.guard = guard
        self._count = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Raises Unavailable when as many as may be are connected, or the plugin goes."""
        self.endpoint.gate.enter(slot=False)
        with self._lock:
            if self._count < self.endpoint.route.max_connections:
                self._count += 1
                return
        self.endpoint.gate.leave(slot=False)
        raise Unavailable("As many connections as may be are open here.", retry_after=5)

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
        self.endpoint.gate.leave(slot=False)


class Session:
    """One accepted handshake; see `host.web.handshake.WebSocketSession`."""

    def __init__(self, door: Door, request: Request, upgrades: Upgrades, tools: Tools) -> None:
        self.limits: WebSocketRoute = door.endpoint.route
        self.request = request
        self._door = door
        self._upgrades = upgrades
        self._tools = tools
        self._expired = False

    def opened(self, connection: Connection) -> None:
        self.invoke(self.limits.handler, connection)

    def invoke(self, callback: Callable[..., object], *args: Any) -> None:
        gate = self._door.endpoint.gate
        entered = self._enter(gate)
        started = perf_counter()
        failed = True
        try:
            with log_context(plugin=self._door.endpoint.plugin_id, request=self.request.id):
                callback(*args)
            failed = False
        except StageboxError as error:
            failed = error.status == 500
            self._log(error)
            raise
        except (Exception, SystemExit) as error:
            self._log(error)
            raise RuntimeError("A callback of the plugin failed.") from error
        finally:
            if entered:
                gate.leave(slot=False, failed=failed, seconds=perf_counter() - started)

    def closed(self) -> None:
        self._door.leave()

    def gone(self) -> bool:
        leaving = self._door.endpoint.gate.leaving or not self._upgrades.has(self._door)
        return leaving or self._expired

    def revalidate(self) -> bool:
        """Asks again whether the token stands for somebody who may be here; True when not any
        more. May block."""
        token = self.request.token
        if token is None or self._expired:
            return False
        route = self._door.endpoint.route
        self._expired = not self._tools.doorkeeper.still_admits(
            token, self.request.principal, route.access, route.permission
        )
        return self._expired

    @staticmethod
    def _enter(gate: Gate) -> bool:
        """False while the plugin goes or is replaced: that waits for this connection to end, so
        its last callbacks must not wait in turn. The connection's own lease covers them."""
        if gate.leaving:
            return False
        try:
            gate.enter(slot=False)
        except Unavailable:
            return False
        return True

    def _log(self, error: BaseException) -> None:
        self._tools.log.error(
            "A WebSocket callback failed at %s.",
            self.request.path,
            exc_info=error,
            extra={"plugin": self._door.endpoint.plugin_id, "request": self.request.id},
        )


class Upgrades:
    """See `host.web.handshake.WebSocketApplication`."""

    def __init__(
        self,
        tools: Tools,
        hosts: HostNames,
        front: Front,
        recorder: Callable[[], OnRequest | None],
    ) -> None:
        self._tools = tools
        self._hosts = hosts
        self._front = front
        self._recorder = recorder
        self._doors: Mapping[str, Door] = {}
        self._with_token: WeakSet[Session] = WeakSet()

    def switch(self, catalog: Catalog) -> None:
        """From the next handshake on these plugins answer. Doors of plugins that stay are kept,
        with their counts."""
        old = self._doors
        doors: dict[str, Door] = {}
        for published in catalog.plugins.values():
            for endpoint in published.websockets:
                known = old.get(endpoint.path)
                kept = known is not None and known.endpoint is endpoint
                doors[endpoint.path] = known if kept and known else self._door(endpoint, published)
        self._doors = doors

    def _door(self, endpoint: WebSocketEndpoint, published: Published) -> Door:
        return Door(endpoint, published, Guard.of_plugin(published, self._tools))

    def has(self, door: Door) -> bool:
        """Whether a door is one of the current catalog."""
        return self._doors.get(door.endpoint.path) is door

    def find(self, path: str) -> WebSocketRoute | None:
        door = self._doors.get(path)
        return None if door is None else door.endpoint.route

    def open(self, handshake: Handshake) -> Refusal | Session:
        started = perf_counter()
        request = _request(handshake, self._front.new_request_id())
        door, outcome, more = self._judge(request)
        if isinstance(outcome, Session):
            self._record(outcome.request, 101, started, door)
            return outcome
        refusal = self._refuse(outcome, request, door, more)
        self._record(request, refusal.status, started, door)
        return refusal

    def _judge(
        self, request: Request
    ) -> tuple[Door | None, Session | Rendered | Exception, Mapping[str, str]]:
        """The session, or why there is none, and the headers that filters put on that; asked
        again when the plugin was being replaced."""
        door = self._doors.get(request.path)
        if not self._hosts.allows(request.headers.get("host"), "HTTP/1.1", request.peer):
            return door, HostRefused(), {}
        filtered: Outcome | None = None
        error: Exception = Unavailable(retry_after=1)
        for _ in range(_TRIES):
            door = self._doors.get(request.path)
            try:
                if filtered is None:
                    filtered = self._front.filters.judge(request, partial(_owner, door))
                if filtered.answer is not None:
                    return door, filtered.answer, filtered.headers
                return door, self._open(door, request, filtered.headers), filtered.headers
            except (GateClosed, StaleCatalog):
                if filtered is not None and self._doors.get(request.path) is door:
                    break
            except Exception as raised:
                error = raised
                break
        return door, error, filtered.headers if filtered else {}

    def _open(self, door: Door | None, request: Request, more: Mapping[str, str]) -> Session:
        headers = request.headers
        if door is None:
            raise NotFound
        if door.guard is not None and door.guard.covers(request.path):
            asked = door.guard.identified(request, headers.get("authorization"))
            fenced(door.endpoint.gate, door.guard.ask)(asked)
        if origin_evidence(headers, request.scheme, request.host) == "foreign":
            # Browsers let any page open a WebSocket anywhere, and read what comes. An origin that
            # a filter lets in never brings the cookie's or the loopback rule's authority along.
            origin = headers.get("origin")
            if origin is None or more.get("access-control-allow-origin") != origin:
                raise Forbidden("Origin not allowed")
        route = door.endpoint.route
        tokens = request.query.all("token")
        principal, token = self._tools.doorkeeper.admit(
            "POST",  # no page of another site may bring the cookie along, as with all that acts
            request.peer,
            request.scheme,
            request.host,
            headers,
            route.access,
            route.permission,
            headers.get("authorization"),
            headers.get("cookie"),
            tokens[0] if tokens else None,
        )
        door.enter()
        known = replace(request, principal=principal, token=token)
        session = Session(door, known, self, self._tools)
        if token is not None:
            self._with_token.add(session)
        return session

    def revalidate(self) -> bool:
        """Connections whose token was ended, or lost its permission, count as gone from now on;
        whether there are any. May block: one look-up for each connection with a token."""
        ended = [session for session in list(self._with_token) if session.revalidate()]
        return bool(ended)

    def _refuse(
        self,
        why: Rendered | Exception,
        request: Request,
        door: Door | None,
        more: Mapping[str, str],
    ) -> Refusal:
        owner = _owner(door)
        if isinstance(why, Exception):
            why = self._tools.errors.answer(why, request, owner)
        headers = list(why.headers)
        add_headers(headers, more)
        headers += [NO_SNIFFING, ("X-Request-Id", request.id)]
        return Refusal(why.status, headers, why.body)

    def _record(self, request: Request, status: int, started: float, door: Door | None) -> None:
        record = self._recorder()
        if record is not None:
            plugin_id = "" if door is None else door.endpoint.plugin_id
            record(
                RequestRecord(
                    request.method,
                    request.path,
                    status,
                    perf_counter() - started,
                    request.id,
                    plugin_id,
                    request.principal.id,
                    request.peer,
                    0,
                )
            )


def _owner(door: Door | None) -> Owner:
    return HOST if door is None else door.published


def _request(handshake: Handshake, request_id: str) -> Request:
    headers = Headers(handshake.headers)
    return Request(
        method=handshake.method,
        path=handshake.path,
        target=f"{quote(handshake.path)}?{handshake.query}".rstrip("?"),
        query=Query(parse_qs(handshake.query, keep_blank_values=True)),
        headers=headers,
        peer=handshake.peer,
        scheme=handshake.scheme,
        host=headers.get("host", ""),
        id=request_id,
    )
