"""Objects as they are stored and returned: defaults filled in, what must not be shown taken out
(local REST contract, 5.5 and 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from builtin_plugins.rooms.documents import dump

__all__ = [
    "attachment_doc",
    "ban_doc",
    "exported_attachment",
    "member_doc",
    "message_doc",
    "reaction_doc",
    "room_doc",
    "user_doc",
]

_PLACE: Final = re.compile(r"file:|\\\\|[A-Za-z]:[\\/]")

Doc = dict[str, Any]


def room_doc(doc: Mapping[str, Any], open_group: bool) -> Doc:
    return {**doc, "openGroup": open_group}


def user_doc(doc: Mapping[str, Any]) -> Doc:
    oder_id = doc.get("oderId")
    return {**doc, "oderId": doc["id"] if oder_id is None else oder_id}


def message_doc(doc: Mapping[str, Any]) -> Doc:
    return {**doc, "isDeleted": bool(doc.get("isDeleted"))}


def reaction_doc(doc: Mapping[str, Any], now: int) -> Doc:
    return _timed(doc, now)


def ban_doc(doc: Mapping[str, Any], now: int) -> Doc:
    return _timed({**doc, "expiresAt": doc.get("expiresAt")}, now)


def attachment_doc(doc: Mapping[str, Any]) -> Doc:
    """Without what tells where the file lies on somebody's machine."""
    return {name: value for name, value in doc.items() if not _withheld(name, value)}


def exported_attachment(text: str) -> str:
    """The object's text, fit for an import: members that an import wants, but that were withheld,
    have a value that is withheld again."""
    doc = json.loads(text)
    missing = [name for name in ("filename", "mime") if name not in doc]
    return dump({**doc, **dict.fromkeys(missing, "file:")}) if missing else text


def member_doc(row: Mapping[str, Any]) -> Doc:
    """A membership as an import has it, of its row."""
    names = {"role": "role", "joined_at": "joinedAt", "last_seen_at": "lastSeenAt"}
    more = {names[key]: row[key] for key in names if row[key] is not None}
    return {"roomId": row["room_id"], "userId": row["user_id"], **more}


def _timed(doc: Mapping[str, Any], now: int) -> Doc:
    timestamp = doc.get("timestamp")
    return {**doc, "timestamp": now if timestamp is None else timestamp}


def _withheld(name: str, value: Any) -> bool:
    if name in ("id", "messageId"):  # names, whatever they look like
        return False
    hidden = name.lower().endswith("path")
    return hidden or (isinstance(value, str) and _PLACE.match(value) is not None)
