"""Who answers a path: Falcon's router for each plugin, and a table of prefixes above them.

A plugin's router is compiled once, when the plugin is first seen; publishing a catalog only
makes a new table. So switching one plugin costs nothing that grows with the others' routes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import falcon
from falcon.routing import CompiledRouter

from host.plugins.catalog import Endpoint, Published, WebSocketEndpoint
from host.web.error_bodies import HOST, Owner
from host.web.guards import Guard
from host.web.responder import Options, Refuser, Responder
from host.web.tools import Tools
from plugin_sdk import Invalid, MethodNotAllowed, NotFound, StageboxError, UpgradeRequired

__all__ = ["Match", "PathTable", "Resource", "RouteSet"]

_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(:path)?\}")
_ORDER: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Answerer = Responder | Refuser | Options


class Methods(dict[str, Answerer]):
    """The methods of a path; any other one has its refusal."""

    def __init__(self, refuser: Refuser) -> None:
        super().__init__()
        self._refuser = refuser

    def __missing__(self, _method: str) -> Answerer:
        return self._refuser


class Resource:
    """One path template with all its methods; what Falcon's router finds."""

    __slots__ = ("methods", "shown", "takes_empty", "template", "trailing_slash")

    def __init__(
        self,
        template: str,
        methods: Methods,
        *,
        takes_empty: bool,
        trailing_slash: bool = False,
        shown: str = "",
    ) -> None:
        self.template = template
        self.methods = methods
        self.takes_empty = takes_empty
        """Whether an empty segment may match: only ``{rest:path}`` takes one."""
        self.trailing_slash = trailing_slash
        self.shown = shown
        """What logs say in place of a path that holds a secret."""


class Match(NamedTuple):
    """In the form that Falcon takes from a router."""

    resource: Resource
    methods: Methods
    fields: dict[str, Any]
    template: str | None


class RouteSet:
    """All routes of one owner, compiled."""

    def __init__(
        self,
        owner: Owner,
        endpoints: Sequence[Endpoint],
        websockets: Sequence[WebSocketEndpoint],
        claims: Sequence[str],
        tools: Tools,
        guard: Guard | None = None,
    ) -> None:
        """Raises Invalid for a template that cannot be routed."""
        self.owner = owner
        self.claims = tuple(claims)
        self._unknown = _unknown(owner, tools, guard)
        self._secret: list[tuple[str, Match]] = []
        self._guard = guard
        self._tools = tools
        self._router = CompiledRouter()
        self._templates: list[tuple[str, ...]] = []
        self._reserved: dict[str, frozenset[str]] = {}
        self._slashed = False
        by_path: dict[str, list[tuple[Endpoint, tuple[tuple[str, str], ...]]]] = {}
        for endpoint in endpoints:
            template, fields = _canonical(endpoint.path)
            by_path.setdefault(template, []).append((endpoint, fields))
        for websocket in websockets:
            by_path.setdefault(websocket.path, [])
        sockets = {websocket.path for websocket in websockets}
        for template, group in by_path.items():
            self._add(template, group, socket=template in sockets)
        self._router.find("/")  # compiles now, not in the first request

    @classmethod
    def of_plugin(cls, published: Published, tools: Tools) -> RouteSet:
        guard = Guard.of_plugin(published, tools)
        endpoints, websockets = published.endpoints, published.websockets
        return cls(published, endpoints, websockets, published.claims, tools, guard)

    def find(self, path: str) -> Match | None:
        match = self._find(path)
        if match is None and self._slashed and path.endswith("/"):
            match = self._find(path[:-1])
            if match is not None and not match.resource.trailing_slash:
                return None
        return match

    def unknown(self, path: str) -> Match:
        """What answers a path that `find` does not know. Where the fields of a known one would
        begin they may be secrets here too."""
        return next(
            (match for fixed, match in self._secret if path.startswith(fixed)), self._unknown
        )

    def _find(self, path: str) -> Match | None:
        found = self._router.find(path)
        if found is None:
            return None
        resource, _, fields, _ = found
        assert isinstance(resource, Resource)
        # Falcon's fields match the empty segment behind a trailing slash; ours do not.
        if fields and not resource.takes_empty and "" in fields.values():
            return None
        return Match(resource, resource.methods, fields, resource.template)

    def reserved_below(self, prefix: str) -> frozenset[str]:
        """Segments that this owner's templates name directly behind a prefix of somebody else.

        ``/api/plugins/{id}/disable`` keeps "disable" below ``/api/plugins/hello``: no field in
        that plugin's routes may catch the request that switches it off."""
        known = self._reserved.get(prefix)
        if known is None:
            parts = prefix.split("/")
            depth = len(parts)
            known = frozenset(
                template[depth]
                for template in self._templates
                if len(template) > depth
                and "{" not in template[depth]
                and all(_fits(ours, theirs) for ours, theirs in zip(template, parts, strict=False))
            )
            self._reserved[prefix] = known
        return known

    def _add(
        self,
        template: str,
        group: Sequence[tuple[Endpoint, tuple[tuple[str, str], ...]]],
        *,
        socket: bool,
    ) -> None:
        owner, tools, guard = self.owner, self._tools, self._guard
        shown = next((each.path for each, _ in group if each.route.secret_path), "")
        responders: dict[str, Answerer] = {}
        for endpoint, fields in group:
            responder = Responder(endpoint, fields, tools, guard, shown)
            responders[endpoint.route.method] = responder
        if socket and "GET" not in responders:
            responders["GET"] = Refuser(owner, UpgradeRequired, tools, guard, shown)
        if "GET" in responders:
            responders["HEAD"] = responders["GET"]
        allow = ", ".join(method for method in _ORDER if method in {*responders, "OPTIONS"})
        methods = Methods(Refuser(owner, _not_allowed(allow), tools, guard, shown))
        methods.update(responders)
        methods["OPTIONS"] = Options(owner, allow, guard, shown)
        slashed = any(endpoint.route.trailing_slash for endpoint, _ in group)
        self._slashed = self._slashed or slashed
        resource = Resource(
            template,
            methods,
            takes_empty=":path}" in template,
            trailing_slash=slashed,
            shown=shown,
        )
        try:
            self._router.add_route(template, resource)
        except ValueError as error:
            raise Invalid(f"The route {template} cannot be mounted: {error}") from None
        self._templates.append(tuple(template.split("/")))
        if shown:
            match = _unknown(owner, tools, guard, f"{shown}/…")
            self._secret.append((shown.partition("{")[0], match))


class Claim(NamedTuple):
    """A claimed prefix: whom to ask below it, the longest prefix first."""

    chain: tuple[RouteSet, ...]
    reserved: frozenset[str]
    """Segments directly behind it that the next one in the chain keeps for itself."""


class PathTable:
    """All claimed prefixes: the ``router`` of one Falcon application. Never changes."""

    def __init__(self, route_sets: Iterable[RouteSet], tools: Tools) -> None:
        self._unknown = _unknown(HOST, tools)
        owners: dict[str, RouteSet] = {}
        for routes in route_sets:
            for prefix in routes.claims:
                owners.setdefault(prefix, routes)
        self._claims = {prefix: _claim(prefix, owners) for prefix in owners}
        self._depth = max((prefix.count("/") for prefix in owners), default=0) + 1
        self._known: dict[str, Match] = {}
        """Paths without fields that were found once: as many as are declared, at most."""

    def find(self, uri: str, req: falcon.Request | None = None) -> Match:
        """The longest claimed prefix that has a route for the path decides; when none has,
        the owner of the longest says that there is nothing."""
        known = self._known.get(uri)
        if known is not None:
            return known
        chain = self._chain(uri)
        if "\ufffd" in uri and req is not None:
            uri = _exact(req.env)
        for routes in chain:
            found = routes.find(uri)
            if found is not None:
                if not found.fields:
                    self._known[uri] = found
                return found
        return chain[0].unknown(uri) if chain else self._unknown

    def owner(self, path: str) -> Owner:
        """Who answers for a path, whether or not there is anything at it."""
        chain = self._chain(path)
        return chain[0].owner if chain else HOST

    def _chain(self, path: str) -> tuple[RouteSet, ...]:
        """Whom to ask about a path: the longest claimed prefix first, but behind a word that the
        next one reserves, that one."""
        parts = path.split("/", self._depth)
        for depth in range(min(len(parts), self._depth), 0, -1):
            claim = self._claims.get("/".join(parts[:depth]))
            if claim is None:
                continue
            chain, reserved = claim
            if reserved and depth < len(parts) and parts[depth].partition("/")[0] in reserved:
                return (chain[1], chain[0], *chain[2:])
            return chain
        return ()


def _claim(prefix: str, owners: Mapping[str, RouteSet]) -> Claim:
    parts = prefix.split("/")
    chain = [owners[prefix]]
    for depth in range(len(parts) - 1, 0, -1):
        outer = owners.get("/".join(parts[:depth]))
        if outer is not None and outer not in chain:
            chain.append(outer)
    reserved = chain[1].reserved_below(prefix) if len(chain) > 1 else frozenset()
    return Claim(tuple(chain), reserved)


def _unknown(owner: Owner, tools: Tools, guard: Guard | None = None, shown: str = "") -> Match:
    methods = Methods(Refuser(owner, NotFound, tools, guard, shown))
    return Match(Resource("", methods, takes_empty=False, shown=shown), methods, {}, None)


def _not_allowed(allow: str) -> Callable[[], StageboxError]:
    return lambda: MethodNotAllowed(headers={"Allow": allow})


def _canonical(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The template with its fields named by their place, and pairs of (own name, that name).

    Falcon wants one name for one place in all routes; authors need not know."""
    fields: list[tuple[str, str]] = []
    segments = []
    for position, segment in enumerate(path.split("/")):

        def rename(match: re.Match[str], position: int = position) -> str:
            key = f"f{position}_{len(fields)}"
            fields.append((match.group(1), key))
            return f"{{{key}{match.group(2) or ''}}}"

        segments.append(_FIELD.sub(rename, segment))
    return "/".join(segments), tuple(fields)


def _fits(template_segment: str, segment: str) -> bool:
    return template_segment == segment or "{" in template_segment


def _exact(environ: Mapping[str, Any]) -> str:
    """The path with each byte that is no UTF-8 as a lone surrogate, where Falcon puts U+FFFD: it
    equals no text that anybody keeps, so it names nothing (local REST API, 2)."""
    raw: str = environ["PATH_INFO"]
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")
