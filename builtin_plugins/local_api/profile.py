"""The answer of ``GET /api/profile`` (local REST contract, 5.1)."""

from __future__ import annotations

from typing import Any, Final

from plugin_sdk import Principal, Services

__all__ = ["CURRENT_USER", "PROFILE", "Profiles"]

CURRENT_USER: Final = "metoyou_currentUserId"
"""The meta key that names the current local user (section 4.4)."""

PROFILE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "username", "displayName"],
    "additionalProperties": True,
    "properties": {
        "id": {"type": "string"},
        "username": {"type": "string"},
        "displayName": {"type": "string"},
    },
    "description": "The current local user as stored, else the user of the token",
}


class Profiles:
    """Asks the stores of ``plugin_data`` and ``rooms``; while one of them is switched off there
    is no current local user."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def of(self, principal: Principal) -> dict[str, Any]:
        return self._current() or _of_token(principal)

    def _current(self) -> dict[str, Any] | None:
        texts: Any = self._services.find("plugin_data.store")
        rooms: Any = self._services.find("rooms.store")
        if texts is None or rooms is None:
            return None
        user_id = texts.get_meta(CURRENT_USER)
        if not user_id:
            return None
        user: dict[str, Any] | None = rooms.user(user_id)
        # The store finds users by their oderId too; the key names a row by its id.
        return user if user is not None and user["id"] == user_id else None


def _of_token(principal: Principal) -> dict[str, Any]:
    """What signaling servers said of their user; the profile; else what is known at all."""
    if principal.profile_id is not None:
        return _user(f"profile-{principal.profile_id}", principal.name, principal.name)
    said = principal.user
    id = _text(said.get("id")) or principal.id
    username = _text(said.get("username")) or principal.name or id
    return _user(id, username, _text(said.get("displayName")) or username)


def _user(id: str, username: str, display_name: str) -> dict[str, Any]:
    return {"id": id, "username": username, "displayName": display_name}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
