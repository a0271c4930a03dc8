"""Who sends a request: tokens, the cookie, the loopback rule, and what may ride along from afar.

The cookie and the loopback rule are *ambient* authority: a browser, or the machine, adds them to
a request that another site made it send. For methods that change something they count only when
the request proves to come from our own pages (RFC 6265, 8.2; Fetch Metadata).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote, unquote

from plugin_sdk import (
    ANONYMOUS,
    Access,
    DatabaseUnavailable,
    Forbidden,
    Principal,
    Unauthenticated,
)
from plugin_sdk.http import is_loopback

__all__ = [
    "SESSION_COOKIE",
    "AccessControl",
    "Doorkeeper",
    "bearer_token",
    "cookie_header",
    "expired_cookie_header",
    "origin_evidence",
    "session_cookie",
]

SESSION_COOKIE: Final = "stagebox_session"

_PROXY_HEADERS: Final = ("x-forwarded-for", "forwarded", "via", "x-real-ip")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Evidence = Literal["own", "foreign", "none"]


class AccessControl(Protocol):
    """The part of the access service that a request needs."""

    def identify(
        self, token: str | None, *, loopback: bool, ambient_allowed: bool = True
    ) -> tuple[Principal, Any]: ...

    def authorise(self, principal: Principal, access: Access, permission: str | None) -> None: ...


def bearer_token(authorization: str) -> str | None:
    """The token of ``Bearer <token>``, the scheme in any case; None for all other values."""
    if authorization[:7] == "Bearer ":  # as nearly everybody writes it
        return authorization[7:].strip() or None
    scheme, _, token = authorization.strip().partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def session_cookie(cookies: str) -> str | None:
    """The token in a Cookie header."""
    for pair in cookies.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == SESSION_COOKIE:
            return unquote(value.strip().strip('"')) or None
    return None


def cookie_header(token: str, max_age: int, scheme: str) -> str:
    """The Set-Cookie value that hands a browser its token for ``max_age`` seconds."""
    value = quote(token, safe="-._~+/=")
    secure = "; Secure" if scheme == "https" else ""
    return (
        f"{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; "
        f"Max-Age={max(0, max_age)}{secure}"
    )


def expired_cookie_header(scheme: str) -> str:
    """The Set-Cookie value that takes the token away again."""
    return cookie_header("", 0, scheme)


def origin_evidence(headers: Mapping[str, str], scheme: str, host: str) -> Evidence:
    """Where a request comes from: one of our own pages, another site, or nobody says.

    Behind a proxy that ends TLS our own scheme is not the one that the browser sees; then its
    word ``Sec-Fetch-Site: same-origin`` counts, which no page can forge."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site")
    if origin is None:
        if site is None:
            return "none"
        return "own" if site in ("same-origin", "none") else "foreign"
    own = host.lower()
    given = origin.lower()
    if given == f"{scheme}://{own}":
        return "own"
    if site == "same-origin" and given.partition("://")[2] == own:
        return "own"
    return "foreign"


def _through_proxy(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request from this machine seems to be passed on for somebody else: it names
    another host than this machine, or carries what proxies add (RFC 7239, RFC 9110, 7.6.3). Such
    a request never counts as the local administrator's."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    local = name in ("127.0.0.1", "localhost", "[::1]") or name.startswith("127.")
    return not local or any(header in headers for header in _PROXY_HEADERS)


class Doorkeeper:
    """Identifies and authorises; the same for requests and for WebSocket upgrades."""

    def __init__(self, access: AccessControl) -> None:
        self._access = access

    def admit(
        self,
        method: str,
        peer: str,
        scheme: str,
        host: str,
        headers: Mapping[str, str],
        level: Access,
        permission: str | None,
        authorization: str | None,
        cookies: str | None,
        query_token: str | None = None,
    ) -> tuple[Principal, str | None]:
        """The principal and the token that stands for it. ``authorization`` and ``cookies`` are
        the headers of those names; ``headers`` are looked at only where they may matter.

        Raises Unauthenticated, or Forbidden: also when only ambient authority would open the
        route and the request does not come from one of our own pages."""
        token = bearer_token(authorization) if authorization else None
        if token is None:
            token = query_token
        loopback = False  # with a token it makes no difference where it comes from
        if token is None:
            near = level != "token" and is_loopback(peer)
            loopback = near and not _through_proxy(host, headers)
            cookie = session_cookie(cookies) if cookies else None
            if cookie is not None or (loopback and method not in _SAFE_METHODS):
                evidence: Evidence = "own"
                if method not in _SAFE_METHODS:
                    evidence = origin_evidence(headers, scheme, host)
                return self._admit_ambient(cookie, loopback, evidence, level, permission)
        principal = self._identified(token, loopback, level, permission)
        self.authorise(principal, level, permission)
        return principal, token

    def _identified(
        self, token: str | None, loopback: bool, level: Access, permission: str | None
    ) -> Principal:
        try:
            return self._access.identify(token, loopback=loopback)[0]
        except DatabaseUnavailable:
            if level != "open" or permission is not None:
                raise
            return ANONYMOUS  # what anybody may see needs no database to tell who asks

    def authorise(self, principal: Principal, level: Access, permission: str | None) -> None:
        """Lets somebody through who is identified already, or raises as `admit` does."""
        if permission is not None or level != "open":
            self._access.authorise(principal, level, permission)

    def still_admits(
        self, token: str, principal: Principal, level: Access, permission: str | None
    ) -> bool:
        """Whether a token that opened a connection before still stands for the same principal,
        and for one who may be there."""
        try:
            now, _ = self._access.identify(token, loopback=False)
            self.authorise(now, level, permission)
        except DatabaseUnavailable:
            return True  # nobody has ended it: that takes a database, too
        except (Unauthenticated, Forbidden):
            return False
        return now.id == principal.id

    def _admit_ambient(
        self,
        cookie: str | None,
        loopback: bool,
        evidence: Evidence,
        level: Access,
        permission: str | None,
    ) -> tuple[Principal, str | None]:
        # A script on this machine sends neither Origin nor Sec-Fetch-Site; a browser that has
        # our cookie sends one of them with everything that changes something.
        token = cookie if evidence == "own" else None
        principal = self._ambient(token, loopback, allowed=evidence != "foreign")
        try:
            self.authorise(principal, level, permission)
        except Unauthenticated:
            if evidence != "own" and self._ambient(cookie, loopback, allowed=True).signed_in:
                raise Forbidden(
                    "This request did not come from a page of this host: "
                    "send the token as Authorization: Bearer."
                ) from None
            raise
        return principal, token

    def _ambient(self, token: str | None, loopback: bool, *, allowed: bool) -> Principal:
        principal, _ = self._access.identify(token, loopback=loopback, ambient_allowed=allowed)
        if token is not None and not principal.signed_in:
            # A cookie that outlived its session is as good as none.
            principal, _ = self._access.identify(None, loopback=loopback, ambient_allowed=allowed)
        return principal
