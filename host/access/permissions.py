"""What a principal may do: granted permissions, and what plugins decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from plugin_sdk import (
    ADMIN,
    Forbidden,
    Logger,
    Permission,
    Permissions,
    Principal,
    Unauthenticated,
)
from plugin_sdk.access import canonical_permission

__all__ = ["Decide", "PermissionService", "canonical_permission", "unauthenticated"]

Decide = Callable[[Principal, str, Sequence[Any]], bool | None]

_UNDENIABLE: Final = frozenset({ADMIN, "MANAGE_PLUGINS"})


def unauthenticated() -> Unauthenticated:
    """401 with the challenge that RFC 9110, 11.6.1 asks for."""
    return Unauthenticated(headers={"WWW-Authenticate": "Bearer"})


class PermissionService(Permissions):
    """``context.permissions``.

    ``decide`` asks the plugins: False when one of them denies, True when one allows, else None.
    """

    def __init__(
        self, decide: Decide, available: Callable[[], Sequence[Permission]], log: Logger
    ) -> None:
        self._decide = decide
        self._available = available
        self._log = log

    def allowed(self, principal: Principal, permission: str, *resources: Any) -> bool:
        name = canonical_permission(permission)
        verdict = self._verdict(principal, name, resources)
        return principal.holds(name) if verdict is None else verdict

    def require(self, principal: Principal, permission: str, *resources: Any) -> None:
        if not principal.signed_in:
            raise unauthenticated()
        if not self.allowed(principal, permission, *resources):
            raise missing(permission)

    def require_for_route(self, principal: Principal, permission: str) -> None:
        """As `require`, but no plugin can keep an administrator from switching plugins off."""
        if not principal.signed_in:
            raise unauthenticated()
        name = canonical_permission(permission)
        if name in _UNDENIABLE and ADMIN in principal.permissions:
            return
        if not self.allowed(principal, name):
            raise missing(name)

    def available(self) -> Sequence[Permission]:
        return self._available()

    def _verdict(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        try:
            verdict = self._decide(principal, permission, resources)
        except (Exception, SystemExit) as error:
            self._log.error(
                "Deciding about %s failed, so it is denied.", permission, exc_info=error
            )
            return False
        return verdict if verdict is None else verdict is True


def missing(permission: str) -> Forbidden:
    """403 that names the permission."""
    return Forbidden(f"Missing permission: {canonical_permission(permission)}")
