"""Signing in, knowing who calls, and letting them through or not."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from host.access.governance import Governance
from host.access.permissions import Decide, PermissionService, unauthenticated
from plugin_sdk import (
    ADMIN,
    ANONYMOUS,
    Access,
    AuthProvider,
    DatabaseUnavailable,
    Forbidden,
    Invalid,
    Logger,
    Login,
    Permission,
    Permissions,
    Principal,
    Request,
    StageboxError,
)

__all__ = ["AccessService"]

_LOCAL_ADMINISTRATOR: Final = Principal(
    id="local",
    name="Local administrator",
    provider="loopback",
    permissions=frozenset({ADMIN}),
)


class AccessService:
    """All active auth providers side by side.

    ``providers`` gives them in order of registration, ``decide`` asks the plugins by their hook
    of that name, ``available`` lists the permissions that can be granted. ``governance`` remembers
    that there was an administrator once. Whatever a provider does wrong is logged with its name
    and never lets anybody in.
    """

    def __init__(
        self,
        *,
        providers: Callable[[], Sequence[AuthProvider]],
        decide: Decide,
        available: Callable[[], Sequence[Permission]],
        log: Logger,
        governance: Governance | None = None,
    ) -> None:
        self._providers = providers
        self._log = log
        self._governance = governance
        self._permissions = PermissionService(decide, available, log)
        self._outages = _Seldom(30.0)

    @property
    def permissions(self) -> Permissions:
        """``context.permissions``."""
        return self._permissions

    def identify(
        self, token: str | None, *, loopback: bool, ambient_allowed: bool = True
    ) -> tuple[Principal, AuthProvider | None]:
        """Who stands behind a request, and the provider that vouches for them.

        A token that nobody knows is anonymous. A request without one that came from this machine
        (``loopback``) is the administrator as long as no provider governs; not so when
        ``ambient_allowed`` is False, as for what another site made a browser send.

        Raises DatabaseUnavailable where an outage keeps a provider from telling: the token may be
        as good as ever."""
        if token:
            return self._known(token)
        if loopback and ambient_allowed and not self._governed():
            return _LOCAL_ADMINISTRATOR, None
        return ANONYMOUS, None

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        """Signs in with the first provider that claims the body's shape.

        Raises Invalid when none does, and what the provider raises on purpose; any other
        exception of a provider is logged and becomes a StageboxError of status 500.
        """
        providers = self._providers()
        for provider in providers:
            if self._claims(provider, body):
                return self._login(provider, body, request)
        names = ", ".join(_name(provider) for provider in providers) or "none"
        raise Invalid(
            "No way to sign in that is active here takes a body with these members. "
            f"Active are: {names}."
        )

    def logout(self, token: str) -> bool:
        """Ends exactly this token; False when it was nobody's.

        Raises StageboxError when a provider failed and none knew the token: it may live on."""
        failure: StageboxError | None = None
        for provider in self._providers():
            try:
                if provider.logout(token) is True:
                    return True
            except (Exception, SystemExit) as error:
                failure = error if isinstance(error, DatabaseUnavailable) else StageboxError()
                self._failed(provider, "ending a token", error)
        if failure is not None:
            raise failure
        return False

    def authorise(self, principal: Principal, access: Access, permission: str | None) -> None:
        """Lets a request through to its route, or raises Unauthenticated or Forbidden (code
        PROFILE_REQUIRED for a token without profile). A permission implies a signed-in caller."""
        if access == "open" and permission is None:
            return
        if not principal.signed_in:
            raise unauthenticated()
        if access == "profile" and principal.profile_id is None:
            raise Forbidden("This is for profiles: sign in with one.", code="PROFILE_REQUIRED")
        if permission is not None:
            self._permissions.require_for_route(principal, permission)

    def _known(self, token: str) -> tuple[Principal, AuthProvider | None]:
        outage: DatabaseUnavailable | None = None
        for provider in self._providers():
            try:
                principal = provider.identify(token)
            except (Exception, SystemExit) as error:
                self._failed(provider, "looking up a token", error)
                outage = error if isinstance(error, DatabaseUnavailable) else outage
                continue
            if isinstance(principal, Principal):
                if self._governance is not None and ADMIN in principal.permissions:
                    self._governance.note()
                return principal, provider
            if principal is not None:
                kind = type(principal).__name__
                self._log.error("Auth provider %s identified a %s.", _name(provider), kind)
        if outage is not None:
            raise outage
        return ANONYMOUS, None

    def _governed(self) -> bool:
        """Whether somebody knows an administrator, or ever did; a provider that cannot tell counts
        as one that does. Raises DatabaseUnavailable."""
        if self._governance is not None and self._governance.known():
            return True
        for provider in self._providers():
            try:
                if provider.governs():
                    if self._governance is not None:
                        self._governance.note()
                    return True
            except (Exception, SystemExit) as error:
                self._failed(provider, "telling whether it governs", error)
                if isinstance(error, DatabaseUnavailable):
                    raise
                return True
        return False

    def _claims(self, provider: AuthProvider, body: Mapping[str, Any]) -> bool:
        try:
            return provider.claims(body) is True
        except (Exception, SystemExit) as error:
            self._failed(provider, "looking at a login body", error)
            return False

    def _login(self, provider: AuthProvider, body: Mapping[str, Any], request: Request) -> Login:
        try:
            login = provider.login(body, request)
        except StageboxError:
            raise
        except (Exception, SystemExit) as error:
            self._failed(provider, "a login", error)
            raise StageboxError() from error
        if not isinstance(login, Login):
            kind = type(login).__name__
            self._log.error("Auth provider %s answered a login with a %s.", _name(provider), kind)
            raise StageboxError()
        return login

    def _failed(self, provider: AuthProvider, doing: str, error: BaseException) -> None:
        name = _name(provider)
        if not isinstance(error, DatabaseUnavailable):
            self._log.error("Auth provider %s failed at %s.", name, doing, exc_info=error)
        elif self._outages.is_news(name):
            # Every request would say so, with a trace that tells nothing of the provider.
            self._log.warning("Auth provider %s failed at %s: %s", name, doing, error.message)


class _Seldom:
    """Tells what was told lately."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_news(self, what: str) -> bool:
        """Whether nobody asked this about the same within that many seconds."""
        now = time.monotonic()
        with self._lock:
            if now - self._told.get(what, -math.inf) < self._seconds:
                return False
            self._told[what] = now
            return True


def _name(provider: AuthProvider) -> str:
    return str(getattr(provider, "name", type(provider).__name__))
