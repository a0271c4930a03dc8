"""``context.permissions`` in memory, and callers for tests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from plugin_sdk.access import CORE_PERMISSIONS, Permission, Principal, canonical_permission
from plugin_sdk.errors import Forbidden, Unauthenticated

__all__ = ["Decider", "FakePermissions", "signed_in"]

Decider = Callable[[Principal, str, Sequence[Any]], bool | None]
"""A plugin's answer to the hook ``decide``."""


def signed_in(
    *permissions: str,
    name: str = "Tester",
    id: str | None = None,
    profile_id: int | None = None,
    provider: str = "test",
    user: Mapping[str, Any] | None = None,
) -> Principal:
    """Somebody who is signed in and was granted these permissions::

        admin = signed_in("ADMIN")
        alice = signed_in("example.soundboard:edit", name="Alice", profile_id=7)

    ``id`` defaults to ``profile-<profile_id>``, or ``user-<name>``.
    """
    fallback = f"user-{name.lower()}" if profile_id is None else f"profile-{profile_id}"
    return Principal(
        id=id or fallback,
        name=name,
        provider=provider,
        profile_id=profile_id,
        permissions=frozenset(permissions),
        user=dict(user or {}),
    )


class FakePermissions:
    """``context.permissions`` in tests: grants of the principal, and the votes in `deciders`.

    ``context.start(plugin)`` adds the plugin's own ``decide``; a test may add others::

        context.permissions.deciders.append(lambda who, permission, resources: False)
    """

    def __init__(self, declared: Iterable[Permission], log: logging.Logger) -> None:
        self.deciders: list[Decider] = []
        self._declared = tuple(declared)
        self._log = log

    def allowed(self, principal: Principal, permission: str, *resources: Any) -> bool:
        name = canonical_permission(permission)
        votes = [self._vote(each, principal, name, resources) for each in self.deciders]
        if any(vote is False for vote in votes):
            return False
        return any(vote is True for vote in votes) or principal.holds(name)

    def require(self, principal: Principal, permission: str, *resources: Any) -> None:
        if not principal.signed_in:
            raise Unauthenticated
        if not self.allowed(principal, permission, *resources):
            raise Forbidden(f"Missing permission: {canonical_permission(permission)}")

    def available(self) -> Sequence[Permission]:
        return [*CORE_PERMISSIONS, *sorted(self._declared, key=lambda each: each.name)]

    def _vote(
        self, decider: Decider, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        try:
            return decider(principal, permission, resources)
        except Exception:  # whoever cannot decide denies
            self._log.exception("A decide hook raised for %s; that counts as no.", permission)
            return False
