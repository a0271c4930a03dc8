"""What a caller may do beyond what the route declares, and what is told about the caller."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.accounts.fields import read_object
from builtin_plugins.accounts.permissions import in_order
from builtin_plugins.accounts.profiles import MANAGE_PROFILES, ProfileStore
from builtin_plugins.accounts.sessions import SessionStore
from builtin_plugins.accounts.shapes import CHANGES, OWN_FIELDS
from plugin_sdk import Forbidden, Invalid, Permissions, Problem, Request, Unauthenticated

__all__ = ["id_of", "profile_changes", "session_answer"]

_MAX_ID: Final = 2**63 - 1


def id_of(request: Request) -> int:
    """The path's ``{id}``. Raises Invalid; one beyond all ids becomes the greatest."""
    text = request.params["id"]
    if text.isascii() and text.isdigit() and text.strip("0"):
        return min(int(text), _MAX_ID) if len(text) < len(str(_MAX_ID)) + 1 else _MAX_ID
    problem = Problem("id", "must be an integer of 1 or more")
    raise Invalid(f"The id in the path {problem.message}.", details=[problem])


def profile_changes(
    request: Request, permissions: Permissions, profiles: ProfileStore
) -> dict[str, Any]:
    """What the caller wants to change of a profile and may (section 3.3): holders of
    MANAGE_PROFILES everything, but not of those above them; owners what is theirs."""
    if permissions.allowed(request.principal, MANAGE_PROFILES):
        profiles.refuse_above(id_of(request), request.principal)
        return CHANGES.read(request)
    missing = Forbidden(f"Missing permission: {MANAGE_PROFILES}")
    owned = request.principal.profile_id
    if owned is None or request.params["id"] != str(owned):
        raise missing
    sent = read_object(request)
    if sent.keys() & CHANGES.fields.keys() - OWN_FIELDS:
        raise missing
    return CHANGES.check(sent)


def session_answer(
    request: Request, profiles: ProfileStore, sessions: SessionStore
) -> dict[str, Any]:
    """The caller's own session, whichever provider it is of (section 2.7). Raises
    Unauthenticated."""
    who, token = request.principal, request.token
    if token is None:  # the local administrator of a host that is not set up has no session
        raise Unauthenticated
    profile = None if who.profile_id is None else profiles.find(who.profile_id)
    own = sessions.of(token)
    answer: dict[str, Any] = {
        "session": {
            "token": token,
            "profileId": profile and profile["id"],
            "profileName": profile and profile["name"],
            "createdAt": own["created_at"] if own else who.created_at,
            "expiresAt": own["expires_at"] if own else who.expires_at,
        },
        "profile": profile,
        "permissions": in_order(who.permissions),
    }
    if profile is None and who.user:
        answer["user"] = dict(who.user)
    return answer
