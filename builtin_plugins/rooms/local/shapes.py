"""What an object must look like to be stored (local REST contract, section 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plugin_sdk import MAX_VALUE_BYTES, Invalid, Problem, dump_json

__all__ = ["KINDS", "Located", "check"]

_MAX_ID: Final = 255
_MAX_KEY: Final = 1024
_MAX_TIME: Final = 2**53 - 1

Check = Callable[[Any], str | None]
"""What is wrong with a value, or None."""


class Located(Invalid):
    """A refusal that names the member: ``messages[3].timestamp: must be an integer``."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}", details=[Problem(path, what)])


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a text"


def _filled(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a text that is not empty"


def _plain(value: str) -> bool:
    """Without control characters."""
    return value.isprintable() or not any(c < " " or "\x7f" <= c <= "\x9f" for c in value)


def _id(value: Any) -> str | None:
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_ID:
        return f"must be a text of 1 to {_MAX_ID} characters"
    return None if _plain(value) else "must not contain control characters"


def _name(value: Any) -> str | None:
    """An id of a room, a user or a message: these stand in paths."""
    return _id(value) or ('must not contain "/"' if "/" in value else None)


def _integer(value: Any, least: int = 0, most: int | None = None) -> str | None:
    if type(value) is not int:
        return "must be an integer"
    if value < least or (most is not None and value > most):
        return f"must be at least {least}" if most is None else f"must be {least} to {most}"
    return None


def _time(value: Any) -> str | None:
    if type(value) is not int:
        return "must be an integer"
    return None if 0 <= value <= _MAX_TIME else f"must be 0 to {_MAX_TIME}"


def _count(value: Any) -> str | None:
    return _integer(value)


def _number(value: Any) -> str | None:
    return _integer(value, 1)


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _objects(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(each, dict) for each in value)
    return None if fits else "must be an array of objects"


def _filename(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    fits = "/" not in value and "\\" not in value and _plain(value)
    return None if fits else 'must not contain "/", "\\" or control characters'


def _scope(value: Any) -> str | None:
    return None if value in ("local", "server") else "must be one of local, server"


def _key(value: Any) -> str | None:
    fits = isinstance(value, str) and 1 <= len(value) <= _MAX_KEY
    return None if fits else f"must be a text of 1 to {_MAX_KEY} characters"


def _owner(value: Any) -> str | None:
    return None if value == "" else _id(value)


def _value(value: Any) -> str | None:
    fits = len(dump_json(value).encode()) <= MAX_VALUE_BYTES
    return None if fits else f"must not be larger than {MAX_VALUE_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Kind:
    """``name`` in the line form, ``member`` in the object form. ``closed``: no other members."""

    name: str
    member: str
    required: Mapping[str, Check]
    optional: Mapping[str, Check]
    closed: bool = False


_KINDS: Final = (
    Kind(
        "room", "rooms",
        {"id": _name, "name": _filled},
        {"description": _text, "topic": _text, "hostId": _text, "isPrivate": _flag,
         "maxUsers": _count, "createdAt": _time, "channels": _objects, "openGroup": _flag},
    ),
    Kind(
        "user", "users",
        {"id": _name, "username": _filled, "displayName": _filled},
        {"oderId": _text, "description": _text, "avatarUrl": _text, "avatarMime": _text,
         "avatarHash": _text, "status": _text, "joinedAt": _time},
    ),
    Kind(
        "member", "members",
        {"roomId": _name, "userId": _name},
        {"role": _text, "joinedAt": _time, "lastSeenAt": _time},
    ),
    Kind(
        "message", "messages",
        {"id": _name, "roomId": _name, "senderId": _name, "content": _text, "timestamp": _time},
        {"channelId": _text, "senderName": _text, "replyToId": _text, "kind": _text,
         "editedAt": _time, "isDeleted": _flag, "serverId": _number, "signature": _text},
    ),
    Kind(
        "reaction", "reactions",
        {"id": _id, "messageId": _name, "userId": _name, "emoji": _filled},
        {"timestamp": _time, "oderId": _text},
    ),
    Kind(
        "attachment", "attachments",
        {"id": _id, "messageId": _name, "filename": _filename, "size": _count, "mime": _text},
        {"isImage": _flag, "uploaderId": _text},
    ),
    Kind(
        "ban", "bans",
        {"roomId": _name, "userId": _name},
        {"oderId": _text, "bannedBy": _text, "displayName": _text, "reason": _text,
         "expiresAt": _time, "timestamp": _time},
    ),
    Kind(
        "pluginData", "pluginData",
        {"pluginId": _id, "key": _key, "value": _value},
        {"scope": _scope, "serverId": _text, "owner": _owner},
        closed=True,
    ),
    Kind("meta", "meta", {"key": _key, "value": _text}, {}, closed=True),
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
"""By name, in the order of the object form."""

_DELETED: Final = {"senderId"}
"""Members that a deleted message of an open group may lack."""


def check(kind: str, doc: Any, where: str) -> dict[str, Any]:
    """The object itself. Raises Located for the first thing that is wrong. ``where`` is written
    before the member's name: ``messages[3]``, ``line 17: doc``."""
    shape = KINDS[kind]
    if not isinstance(doc, dict):
        raise Located(where, "must be an object")
    for name, test in shape.required.items():
        if name not in doc:
            if name in _DELETED and doc.get("isDeleted") is True:
                continue
            raise Located(f"{where}.{name}", "is missing")
        problem = test(doc[name])
        if problem is not None:
            raise Located(f"{where}.{name}", problem)
    optional = shape.optional
    for name, value in doc.items():
        test_of = optional.get(name)
        if test_of is None:
            if shape.closed and name not in shape.required:
                raise Located(f"{where}.{name}", "is no member of this object")
            continue
        problem = None if value is None else test_of(value)
        if problem is not None:
            raise Located(f"{where}.{name}", problem)
    if kind == "pluginData":
        _check_server(doc, where)
    return doc


def _check_server(doc: Mapping[str, Any], where: str) -> None:
    if doc.get("scope") == "server":
        problem = _name(doc.get("serverId"))
        if problem is not None:
            raise Located(f"{where}.serverId", problem)
