"""Bodies and answers of the routes (plugin contract, 2 to 5)."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.accounts.fields import (
    Body,
    Field,
    Unfit,
    any_text,
    identifier,
    integer_or_null,
    list_of,
    name,
    plain_object,
    text,
    truth,
)
from builtin_plugins.accounts.permissions import canonical
from plugin_sdk import Schema

__all__ = [
    "CHANGES",
    "GROUP",
    "GROUPS",
    "GROUP_CHANGES",
    "LOGIN",
    "NEW_GROUP",
    "NEW_PROFILE",
    "OWN_FIELDS",
    "PIN",
    "PROFILE",
    "PROFILES",
    "RECOVERY",
    "SESSION",
    "STATUS",
]

# What comes in

_PIN: Final = text(4, 32)
_NEW: Final = {
    "name": name(64),
    "pin": _PIN,
    "recoveryPhrase": text(4, 128),
    "recoveryPhraseHint": text(0, 128),
    "avatarId": integer_or_null(0, 9999),
}

LOGIN: Final = Body(
    "ProfileLogin",
    {"profileName": text(1, 64), "pin": text(1, 128)},
    required=("profileName", "pin"),
)
RECOVERY: Final = Body(
    "Recovery",
    {"name": any_text, "recoveryPhrase": any_text, "newPin": _PIN},
    required=("name", "recoveryPhrase", "newPin"),
)
NEW_PROFILE: Final = Body("NewProfile", _NEW, required=("name", "pin", "recoveryPhrase"))
CHANGES: Final = Body(
    "ProfileChanges",
    {**_NEW, "locked": truth, "profileSettings": plain_object(64 * 1024)},
)
OWN_FIELDS: Final = frozenset({"avatarId", "profileSettings"})
"""What everybody may change of the own profile."""

PIN: Final = Body("Pin", {"pin": _PIN}, required=("pin",))


def _take_permission(value: Any) -> str:
    found = canonical(any_text.take(value))
    if found is None:
        raise Unfit("is no permission: name one of the host, or <plugin id>:<verb>")
    return found


_GROUP: Final = {
    "name": name(128),
    "profileIds": list_of(identifier, 10_000),
    "permissions": list_of(Field({"type": "string"}, _take_permission), 200),
}
NEW_GROUP: Final = Body("NewPermissionGroup", _GROUP, required=("name",))
GROUP_CHANGES: Final = Body("PermissionGroupChanges", _GROUP)

# What goes out

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_INTEGER: Final = {"type": "integer"}
_TIME: Final = {"type": "string", "format": "date-time"}

PROFILE: Final[Schema] = {
    "title": "Profile",
    "type": "object",
    "required": [
        "id",
        "name",
        "avatarId",
        "recoveryPhraseHint",
        "locked",
        "profileSettings",
        "createdAt",
        "updatedAt",
    ],
    "properties": {
        "id": _INTEGER,
        "name": _TEXT,
        "avatarId": {"type": ["integer", "null"]},
        "recoveryPhraseHint": _TEXT,
        "locked": {"type": "boolean", "description": "Locked by an administrator"},
        "profileSettings": {"type": "object"},
        "createdAt": _TIME,
        "updatedAt": _TIME,
    },
}
PROFILES: Final[Schema] = {"type": "array", "items": PROFILE}

GROUP: Final[Schema] = {
    "title": "PermissionGroup",
    "type": "object",
    "required": ["id", "name", "profileIds", "permissions", "createdAt", "updatedAt"],
    "properties": {
        "id": _INTEGER,
        "name": _TEXT,
        "profileIds": {"type": "array", "items": _INTEGER},
        "permissions": _TEXTS,
        "createdAt": _TIME,
        "updatedAt": _TIME,
    },
}
GROUPS: Final[Schema] = {"type": "array", "items": GROUP}

_INTEGER_OR_NULL: Final = {"type": ["integer", "null"]}
SESSION: Final[Schema] = {
    "title": "Session",
    "type": "object",
    "required": ["session", "profile", "permissions"],
    "properties": {
        "session": {
            "type": "object",
            "properties": {
                "token": _TEXT,
                "profileId": _INTEGER_OR_NULL,
                "profileName": {"type": ["string", "null"]},
                "createdAt": _INTEGER_OR_NULL,
                "expiresAt": _INTEGER_OR_NULL,
            },
        },
        "profile": {"anyOf": [PROFILE, {"type": "null"}]},
        "permissions": _TEXTS,
        "user": {"type": "object", "description": "Of a sign-in without profile"},
    },
}

STATUS: Final[Schema] = {
    "type": "object",
    "required": ["configured", "profiles"],
    "properties": {"configured": {"type": "boolean"}, "profiles": _INTEGER},
}
