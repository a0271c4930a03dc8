"""Who may use the media server's API from where, and how often (media contract, 4).

The check of the Host header is the host's own; this plugin adds names to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from builtin_plugins.web_guard.limiter import RateLimiter, counted_as, listed_proxies, peer_behind
from builtin_plugins.web_guard.origins import OriginRules
from builtin_plugins.web_guard.rates import Rates
from plugin_sdk import Forbidden, Plugin, RateLimited, Request, RequestFilter, Response, Verdict
from plugin_sdk.management import HostNames, PluginManagement

__all__ = ["WebGuard", "plugin"]

_API: Final = "/api/v1"
_SOCKET: Final = "/ws"
_MEDIA: Final = (_API, "/health", "/api/docs", "/api/docs.json")
_VARY: Final = {"Vary": "Origin"}
_EXPOSED: Final = (
    "X-API-Version, Content-Range, Accept-Ranges, Content-Length, ETag, Retry-After, "
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS",
    "Access-Control-Allow-Headers": (
        "Content-Type,Authorization,X-Requested-With,X-Client-Version,Range,If-Range"
    ),
    "Access-Control-Max-Age": "600",
}


class WebGuard(Plugin):
    """Two filters: origins first, then the limit, whose refusals carry the headers of the first."""

    def enable(self) -> None:
        settings, services = self.context.settings, self.context.services
        self._names: HostNames = services.get("host.names")
        self._plugins: PluginManagement = services.get("host.plugins")
        self._rates = Rates(os.environ, settings, self.context.log)
        self._limiter = RateLimiter()
        self._follow_settings()
        settings.on_change(lambda _names: self._follow_settings())

    def disable(self) -> None:
        self._names.allow([])
        if not self._plugins.entry(self.context.plugin_id).enabled:
            self.context.log.warning(
                "Web guard is off: no page of another origin may use the API, nobody is limited, "
                "and the host answers to its own names only."
            )

    def _follow_settings(self) -> None:
        settings = self.context.settings
        self._names.allow(settings["allowedHosts"])
        self._origins = OriginRules(
            frozenset(settings["allowedOrigins"]),
            settings["allowLocalhostOrigins"],
            settings["allowLanOrigins"],
        )
        self._trusted = listed_proxies(settings["trustedProxies"])
        self._exempt = tuple(path.rstrip("/") for path in settings["rateLimitExempt"])
        self._exempt_loopback: bool = settings["exemptLoopback"]

    def filters(self) -> Sequence[RequestFilter]:
        return [
            RequestFilter((*_MEDIA, _SOCKET), self.judge_origin, order=10),
            RequestFilter((_API,), self.judge_rate, order=15),
        ]

    def judge_origin(self, request: Request) -> Verdict:
        """CORS (Fetch standard). Raises Forbidden for an origin that may not ask: then nothing is
        executed, whatever the method."""
        origin = request.headers.get("origin")
        socket = request.path == _SOCKET
        if origin is None:
            return None if socket else _VARY
        if not self._origins.allow(origin, request.host):
            raise Forbidden("Origin not allowed", headers=_VARY)
        if socket and "upgrade" not in request.headers:
            return None  # only a handshake needs the host to know that the origin may ask
        headers = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": _EXPOSED,
            **_VARY,
        }
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            return replace(Response.empty(200), headers={**headers, **_PREFLIGHT})
        return headers

    def judge_rate(self, request: Request) -> Verdict:
        """Counts a request. Raises RateLimited for one too many."""
        limit = self._rates.limit
        if not limit or (self._exempt_loopback and request.loopback) or self._is_exempt(request):
            return None
        peer = peer_behind(request.peer, request.headers.get("x-forwarded-for"), self._trusted)
        now = self.context.clock.ms()
        count = self._limiter.count(counted_as(peer), now, self._rates.window, limit)
        if count.exceeded:
            raise RateLimited(
                "Too many requests from this IP, please try again later.",
                retry_after=count.seconds_left(now),
                headers=count.headers(),
            )
        return count.headers()

    def _is_exempt(self, request: Request) -> bool:
        path = request.path
        return any(path == each or path.startswith(each + "/") for each in self._exempt)


plugin = WebGuard
