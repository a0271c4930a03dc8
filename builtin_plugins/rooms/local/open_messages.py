"""Messages of open groups that come by an import or from a plugin (open-group contract, 12.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.documents import dump
from builtin_plugins.rooms.local.finished import message_doc
from builtin_plugins.rooms.local.shapes import Located
from builtin_plugins.rooms.names import MAX_SERVER_ID, decode_base64, is_key
from builtin_plugins.rooms.signatures import SIGNATURE_BYTES
from plugin_sdk import Invalid

__all__ = ["OpenMessages"]

Doc = dict[str, Any]

_STORED: Final = "SELECT is_deleted FROM messages WHERE id = :id"
_RECORDED: Final = "SELECT 1 FROM deletions WHERE room_id = :room AND server_id = :number"
_POSTED: Final = frozenset(
    {"id", "roomId", "senderId", "content", "timestamp", "serverId", "isDeleted"}
)
"""What `documents.MESSAGE_DOC` makes of the columns alone; a living one has ``signature`` too."""


class OpenMessages:
    """``put_row`` writes one row, when ``flush`` is called at the latest."""

    def __init__(
        self,
        core: Core,
        by: str,
        put_row: Callable[[Mapping[str, Any]], object],
        flush: Callable[[], object],
    ) -> None:
        self._core = core
        self._by = by
        self._put_row = put_row
        self._flush = flush
        self._highest: dict[str, int] = {}
        self._tombstones: dict[str, list[int]] = {}
        self._seen: dict[str, bool] = {}

    def put(self, doc: Doc, where: str) -> Doc | None:
        """Deleting is for good: a living message under a number that was deleted is passed over,
        and None returned. Raises Located."""
        room, number = _check_number(doc, where)
        deleted = doc.get("isDeleted") is True
        row, stored = _deleted(doc, where) if deleted else _living(doc, where)
        before = self._before(stored["id"], room, number)
        if before is True and not deleted:
            return None
        if before is False and deleted:
            self._flush()
            self._core.deletions.delete(room, [number], self._by)
        self._seen[stored["id"]] = deleted
        if deleted:
            self._tombstones.setdefault(room, []).append(number)
        self._highest[room] = max(number, self._highest.get(room, 0))
        self._put_row(row)
        return stored

    def finish(self) -> None:
        """Records of deletions, and counters at least as high as the numbers met."""
        for room, numbers in self._tombstones.items():
            self._core.deletions.record(room, numbers)
        for room, number in self._highest.items():
            self._core.groups.raise_server_id(room, number)
        self._tombstones, self._highest = {}, {}

    def flushed(self) -> None:
        """All rows are in the database: it knows them by itself, whatever their number."""
        self._seen.clear()

    def _before(self, id: str, room: str, number: int) -> bool | None:
        """Whether the message is deleted already, or None when it was never there."""
        if id in self._seen:
            return self._seen[id]
        known = self._core.db.value(_STORED, {"id": id})
        if known is not None:
            return bool(known)
        recorded = self._core.db.value(_RECORDED, {"room": room, "number": number})
        return None if recorded is None else True


def _check_number(doc: Doc, where: str) -> tuple[str, int]:
    room, number = doc["roomId"], doc.get("serverId")
    if number is None:
        raise Located(f"{where}.serverId", "is missing; the room is an open group")
    if number > MAX_SERVER_ID:
        raise Located(f"{where}.serverId", f"must be 1 to {MAX_SERVER_ID} in an open group")
    if doc["id"] != f"{room}-{number}":
        raise Located(f"{where}.id", f"must be {room}-{number}; the room is an open group")
    return room, number


def _row(doc: Doc, sender: str, data: str | None, signature: str | None) -> dict[str, Any]:
    """The columns; ``doc`` is left to what they say."""
    return {
        "id": doc["id"],
        "room_id": doc["roomId"],
        "sender_id": sender,
        "timestamp": doc["timestamp"],
        "is_deleted": int(data is None),
        "server_id": doc["serverId"],
        "data": data,
        "signature": signature,
        "doc": None,
    }


def _living(doc: Doc, where: str) -> tuple[dict[str, Any], Doc]:
    sender = _sender(doc, where)
    content = _base64(doc, "content", where)
    signature = _base64(doc, "signature", where, SIGNATURE_BYTES)
    stored = {**message_doc(doc), "content": content, "signature": signature}
    row = _row(doc, sender, content, signature)
    if stored.keys() != _POSTED | {"signature"}:
        row["doc"] = dump(stored)
    return row, stored


def _deleted(doc: Doc, where: str) -> tuple[dict[str, Any], Doc]:
    if doc["content"] != "":
        raise Located(f"{where}.content", "must be empty: the message is deleted")
    stored = {name: value for name, value in message_doc(doc).items() if name != "signature"}
    if stored.get("senderId") is None:
        stored.pop("senderId", None)
    sender = _sender(doc, where) if "senderId" in stored else ""
    row = _row(doc, sender, None, None)
    if stored.keys() != _POSTED:
        row["doc"] = dump(stored)
    return row, stored


def _sender(doc: Doc, where: str) -> str:
    sender = doc.get("senderId")
    if not is_key(sender):
        raise Located(f"{where}.senderId", "must be 05 and 64 hex digits in lower case")
    return str(sender)


def _base64(doc: Doc, name: str, where: str, length: int | None = None) -> str:
    """The text with its padding."""
    text = doc.get(name)
    if text is None:
        raise Located(f"{where}.{name}", "is missing; the room is an open group")
    try:
        content = decode_base64(text, name)
    except Invalid:
        raise Located(f"{where}.{name}", "must be base64") from None
    if length is not None and len(content) != length:
        raise Located(f"{where}.{name}", f"must be base64 of {length} bytes")
    return str(text) + "=" * (-len(text) % 4)
