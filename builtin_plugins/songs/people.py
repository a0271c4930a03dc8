"""For whom something is done: the caller's own profile, or for admins another one's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from plugin_sdk import ADMIN, Forbidden, NotFound, Principal, Services, Unauthenticated

__all__ = ["People", "Person"]

_SERVICE: Final = "accounts.profiles"


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str


class _Profiles(Protocol):
    def name(self, profile_id: int) -> str | None:
        """None when there is no such profile."""
        ...


class People:
    """Profiles are the service ``accounts.profiles``; without it only the caller's own is known,
    and others are taken as they are named."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def caller(self, principal: Principal) -> Person:
        """Raises Unauthenticated, and Forbidden for a token that belongs to no profile."""
        if not principal.signed_in:
            raise Unauthenticated
        if principal.profile_id is None:
            raise Forbidden("This token belongs to no profile.", code="PROFILE_REQUIRED")
        return Person(principal.profile_id, principal.name)

    def meant(self, principal: Principal, profile_id: int | None) -> Person:
        """The profile that a body names. Raises Forbidden for another's without ADMIN, NotFound
        for one that does not exist."""
        caller = self.caller(principal)
        if profile_id is None or profile_id == caller.id:
            return caller
        if not principal.holds(ADMIN):
            raise Forbidden(f"Missing permission: {ADMIN}")
        name = self.name(profile_id)
        if name is None:
            raise NotFound(f"There is no profile {profile_id}.")
        return Person(profile_id, name)

    def name(self, profile_id: int) -> str | None:
        """None when there is no such profile."""
        profiles: _Profiles | None = self._services.find(_SERVICE)
        return "" if profiles is None else profiles.name(profile_id)
