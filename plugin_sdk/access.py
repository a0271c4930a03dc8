"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

__all__ = [
    "ADMIN",
    "ANONYMOUS",
    "CORE_PERMISSIONS",
    "Access",
    "Permission",
    "Permissions",
    "Principal",
]

Access = Literal["open", "signed-in", "token", "profile"]
"""Who may call a route: anybody; whoever is signed in, the local administrator of a host without
accounts included; any live token; a token that belongs to a profile."""

ADMIN: Final = "ADMIN"


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission that can be granted. ``plugin_id`` is None for those of the host."""

    name: str
    description: str
    plugin_id: str | None = None


CORE_PERMISSIONS: Final[tuple[Permission, ...]] = (
    Permission("ADMIN", "Everything, the permissions of plugins included"),
    Permission("EDIT_TRACKS", "Change the details of tracks"),
    Permission("DELETE_TRACKS", "Delete tracks"),
    Permission("MANAGE_SETTINGS", "Change settings and choose providers"),
    Permission("MANAGE_PERMISSIONS", "Create groups and grant permissions"),
    Permission("MANAGE_PROFILES", "Create, change and delete profiles"),
    Permission("MANAGE_PLUGINS", "Switch plugins on and off"),
    Permission("UPLOAD", "Upload files"),
)
"""The permissions of the host, in their canonical order."""

_CORE: Final = {permission.name.casefold(): permission.name for permission in CORE_PERMISSIONS}


def canonical_permission(name: str) -> str:
    """A permission's one spelling: core names in capitals, those of plugins in lower case."""
    folded = name.casefold()
    return _CORE.get(folded, folded)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request.

    ``id`` is stable and unique over all auth providers (``profile-1``, ``user-alice-01``); it is
    empty for an anonymous caller. ``provider`` is the name of the auth provider that vouched.
    ``user`` is what that provider adds about the person, as JSON values. ``created_at`` and
    ``expires_at`` are of the session, in milliseconds since the epoch, None where the provider
    does not say; two that differ in these alone are equal.
    """

    id: str = ""
    name: str = ""
    provider: str = ""
    profile_id: int | None = None
    permissions: frozenset[str] = frozenset()
    user: Mapping[str, Any] = field(default_factory=dict)
    created_at: int | None = field(default=None, compare=False)
    expires_at: int | None = field(default=None, compare=False)

    @property
    def signed_in(self) -> bool:
        """Whether a live token (or the loopback rule) stands behind the request."""
        return bool(self.id)

    def holds(self, permission: str) -> bool:
        """Whether the permission was granted; ADMIN holds all of them."""
        return permission in self.permissions or ADMIN in self.permissions


ANONYMOUS: Final = Principal()


class Permissions(Protocol):
    """``context.permissions``: questions of access beyond what a route declares."""

    def allowed(self, principal: Principal, permission: str, *resources: Any) -> bool:
        """May the principal do this to all of these resources? A permission's name may be written
        in any case.

        Every active plugin is asked by the hook ``decide``: one False denies, else one True
        allows, else the granted permissions decide. A ``decide`` that raises counts as False.
        """
        ...

    def require(self, principal: Principal, permission: str, *resources: Any) -> None:
        """As `allowed`, but raises Unauthenticated or Forbidden, naming the permission."""
        ...

    def available(self) -> Sequence[Permission]:
        """The core permissions in their order, then those of active plugins by name."""
        ...
