"""How the API document describes the open-group face. The handlers judge by themselves, in the
order of the contract (2.3); nothing here is enforced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["described"]

_MAX_BODY: Final = 1024 * 1024
"""Bytes of any body but an upload."""

_TOKEN: Final = {"roomToken": {"type": "apiKey", "in": "header", "name": "Authorization"}}
_TEXT: Final = {"type": "string"}
_INT: Final = {"type": "integer"}
_KEY: Final = {"type": "string", "pattern": "^05[0-9a-fA-F]{64}$"}
_BASE64: Final = {"type": "string", "contentEncoding": "base64"}


def _object(required: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required or properties), "properties": properties}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


_ROOM: Final = {"title": "OpenGroup", **_object(id=_TEXT, name=_TEXT)}
_MESSAGE: Final = {
    "title": "OpenGroupMessage",
    **_object(server_id=_INT, public_key=_KEY, timestamp=_INT, data=_BASE64, signature=_BASE64),
}
_DELETION: Final = {
    "title": "OpenGroupDeletion",
    **_object(id=_INT, deleted_message_id=_INT),
}
_CURSOR: Final = {"type": ["integer", "null"]}
_ENTRY: Final = _object(
    ["room_id", "auth_token"],
    room_id=_TEXT,
    auth_token=_TEXT,
    from_message_server_id=_CURSOR,
    from_deletion_server_id=_CURSOR,
)
_RESULT: Final = _object(
    room_id=_TEXT,
    status_code=_INT,
    deletions=_array(_DELETION),
    messages=_array(_MESSAGE),
    moderators=_array(_KEY),
)
_PERSON: Final = _object(public_key=_KEY)
_FILE: Final = _object(file=_BASE64)


@dataclass(frozen=True, slots=True)
class _Shape:
    """``room`` says where the room is named; ``who`` may call; ``query`` are parameters,
    ``path`` fields; ``errors`` beside those of room and caller."""

    operation: str
    returns: Mapping[str, Any]
    who: Literal["open", "pending", "member", "moderator"] = "member"
    room: Literal["header", "optional", "path", ""] = "header"
    path: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    errors: Sequence[int] = ()


_PAGE: Final = {
    "from_server_id": {**_INT, "description": "What is greater, ascending; else the newest"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 256, "default": 256},
}
_OF_ROOM: Final = {"room_id": _TEXT}
_OF_KEY: Final = {"public_key": _KEY}

_SHAPES: Final[Mapping[str, _Shape]] = {
    "rooms": _Shape("listOpenGroups", {"rooms": _array(_ROOM)}, "open", ""),
    "room": _Shape("getOpenGroup", {"room": _ROOM}, "open", "path", _OF_ROOM),
    "image": _Shape(
        "getOpenGroupImage", {"result": _BASE64}, "open", "path", _OF_ROOM, errors=(503,)
    ),
    "set_image": _Shape(
        "setOpenGroupImage",
        {"room_id": _TEXT},
        "moderator",
        "path",
        _OF_ROOM,
        body=_FILE,
        errors=(503,),
    ),
    "challenge": _Shape(
        "getAuthTokenChallenge",
        {"challenge": _object(ciphertext=_BASE64, ephemeral_public_key=_BASE64)},
        "open",
        query={"public_key": _KEY},
    ),
    "claim": _Shape("claimAuthToken", {}, "pending", body=_PERSON),
    "logout": _Shape("endAuthToken", {}),
    "poll": _Shape(
        "compactPoll",
        {"results": _array(_RESULT)},
        "open",
        "",
        body=_object(requests={**_array(_ENTRY), "maxItems": 1000}),
    ),
    "post_message": _Shape(
        "postMessage",
        {"message": _MESSAGE},
        body=_object(data=_BASE64, signature=_BASE64, timestamp=_INT),
        errors=(429,),
    ),
    "messages": _Shape("listMessages", {"messages": _array(_MESSAGE)}, query=_PAGE),
    "delete_message": _Shape("deleteMessage", {}, path={"message_id": _INT}),
    "delete_messages": _Shape("deleteMessages", {}, body=_object(ids=_array(_INT))),
    "deletions": _Shape("listDeletedMessages", {"ids": _array(_DELETION)}, query=_PAGE),
    "moderators": _Shape("listModerators", {"moderators": _array(_KEY)}),
    "add_moderator": _Shape(
        "addModerator",
        {},
        "moderator",
        "optional",
        body=_object(["public_key"], public_key=_KEY, room_id=_TEXT),
    ),
    "remove_moderator": _Shape("removeModerator", {}, "moderator", path=_OF_KEY),
    "bans": _Shape("listBannedMembers", {"banned_members": _array(_KEY)}),
    "ban": _Shape("banMember", {}, "moderator", body=_PERSON),
    "ban_and_delete_all": _Shape("banMemberAndDeleteAll", {}, "moderator", body=_PERSON),
    "unban": _Shape("unbanMember", {}, "moderator", path=_OF_KEY),
    "member_count": _Shape("countMembers", {"member_count": _INT}),
    "add_file": _Shape("addFile", {"result": _INT}, body=_FILE, errors=(503,)),
    "file": _Shape("getFile", {"result": _BASE64}, path={"file_id": _INT}, errors=(503,)),
}


def described(name: str) -> dict[str, Any]:
    """The arguments of `plugin_sdk.route` beside method and path."""
    shape = _SHAPES[name]
    errors = set(shape.errors)
    if shape.room:
        errors |= {404}
    if shape.room in ("header", "optional"):
        errors |= {400}
    if shape.body is not None:
        errors |= {400, 413}
    if shape.who != "open":
        errors |= {401, 403}
    extra: dict[str, Any] = {"parameters": _parameters(shape)}
    if shape.who != "open":
        extra |= {"security": [{"roomToken": []}], "x-securitySchemes": _TOKEN}
    if shape.body is not None:
        content = {"application/json": {"schema": shape.body}}
        extra["requestBody"] = {"required": True, "content": content}
    return {
        "access": "open",
        "identify": False,
        "operation_id": shape.operation,
        "returns": _object(status_code={"const": 200}, **shape.returns),
        "errors": sorted(errors),
        "tags": ["open groups"],
        "max_body": _MAX_BODY,
        "audit": False,
        "extra": extra,
    }


def _parameters(shape: _Shape) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in (shape.path or {}).items()
    ]
    if shape.room in ("header", "optional"):
        required = shape.room == "header"
        found.append({"name": "Room", "in": "header", "required": required, "schema": _TEXT})
    for name, schema in (shape.query or {}).items():
        required = name == "public_key"
        found.append({"name": name, "in": "query", "required": required, "schema": schema})
    return found
