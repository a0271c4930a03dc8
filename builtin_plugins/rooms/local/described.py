"""The routes' words for the API document (local REST contract, section 8).

Parameters are declared for the document alone: what makes no sense falls back to a default, so
nothing is refused by the host's own reading of a ``query`` schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "ATTACHMENT",
    "BAN",
    "BANNED",
    "MESSAGE",
    "PAGE",
    "REACTION",
    "ROOM",
    "SINCE",
    "USER",
    "array_of",
]

_TEXT: Final = {"type": "string"}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}
_TIME: Final = {"type": "integer", "description": "Milliseconds since the epoch"}
_MAYBE_TIME: Final = {"type": ["integer", "null"], "description": "Milliseconds since the epoch"}
_FLAG: Final = {"type": "boolean"}


def _shape(title: str, required: str, **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": required.split(),
        "additionalProperties": True,
        "properties": properties,
    }


ROOM: Final = _shape(
    "Room",
    "id name openGroup",
    id=_TEXT,
    name=_TEXT,
    description=_MAYBE_TEXT,
    topic=_MAYBE_TEXT,
    hostId=_MAYBE_TEXT,
    isPrivate={"type": ["boolean", "null"]},
    maxUsers={"type": ["integer", "null"], "minimum": 0},
    createdAt=_MAYBE_TIME,
    channels={"type": ["array", "null"], "items": {"type": "object"}},
    openGroup={**_FLAG, "description": "Whether the open-group face shows this room"},
)
USER: Final = _shape(
    "User",
    "id username displayName oderId",
    id=_TEXT,
    username=_TEXT,
    displayName=_TEXT,
    oderId={**_TEXT, "description": "A second name of the user; the id unless given"},
    description=_MAYBE_TEXT,
    avatarUrl=_MAYBE_TEXT,
    avatarMime=_MAYBE_TEXT,
    avatarHash=_MAYBE_TEXT,
    status=_MAYBE_TEXT,
    joinedAt=_MAYBE_TIME,
)
MESSAGE: Final = _shape(
    "Message",
    "id roomId content timestamp isDeleted",
    id=_TEXT,
    roomId=_TEXT,
    senderId=_TEXT,
    content=_TEXT,
    timestamp=_TIME,
    channelId=_MAYBE_TEXT,
    senderName=_MAYBE_TEXT,
    replyToId=_MAYBE_TEXT,
    kind=_MAYBE_TEXT,
    editedAt=_MAYBE_TIME,
    isDeleted=_FLAG,
    serverId={"type": ["integer", "null"], "minimum": 1},
    signature=_MAYBE_TEXT,
)
REACTION: Final = _shape(
    "Reaction",
    "id messageId userId emoji timestamp",
    id=_TEXT,
    messageId=_TEXT,
    userId=_TEXT,
    emoji=_TEXT,
    timestamp=_TIME,
    oderId=_MAYBE_TEXT,
)
ATTACHMENT: Final = _shape(
    "Attachment",
    "id messageId size",
    id=_TEXT,
    messageId=_TEXT,
    filename=_TEXT,
    size={"type": "integer", "minimum": 0, "description": "In bytes"},
    mime=_TEXT,
    isImage={"type": ["boolean", "null"]},
    uploaderId=_MAYBE_TEXT,
)
BAN: Final = _shape(
    "Ban",
    "roomId userId expiresAt timestamp",
    roomId=_TEXT,
    userId=_TEXT,
    oderId=_MAYBE_TEXT,
    bannedBy=_MAYBE_TEXT,
    displayName=_MAYBE_TEXT,
    reason=_MAYBE_TEXT,
    expiresAt={**_MAYBE_TIME, "description": "Null: for good"},
    timestamp=_TIME,
)
BANNED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["isBanned"],
    "additionalProperties": False,
    "properties": {"isBanned": _FLAG},
}

_ROOM_ID: Final = {"name": "roomId", "in": "path", "required": True, "schema": _TEXT}


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


PAGE: Final = {
    "parameters": [
        _ROOM_ID,
        _parameter("limit", {"type": "integer", "default": 100, "minimum": 1, "maximum": 500}),
        _parameter("offset", {"type": "integer", "default": 0, "minimum": 0}),
        _parameter("order", {"type": "string", "enum": ["asc", "desc"], "default": "asc"}),
    ]
}
SINCE: Final = {
    "parameters": [_ROOM_ID, _parameter("sinceTimestamp", {"type": "integer"}, required=True)]
}


def array_of(shape: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": shape}
