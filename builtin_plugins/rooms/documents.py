"""The JSON texts of things that come from the open-group face, as the read face shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["MESSAGE_DOC", "dump", "tombstone", "user"]

MESSAGE_DOC: Final = """COALESCE(doc, '{"id":"' || id || '","roomId":"' || room_id
    || '","senderId":"' || sender_id || '","content":"' || COALESCE(data, '')
    || '","timestamp":' || CAST(timestamp AS TEXT) || ',"serverId":' || CAST(server_id AS TEXT)
    || CASE WHEN is_deleted = 0 THEN ',"signature":"' || signature || '","isDeleted":false}'
    ELSE ',"isDeleted":true}' END)"""
"""SQL for the finished text of a message; its columns stand without a table's name.

Without a ``doc`` all that goes in are room ids, keys, base64 and integers (open groups only), so
nothing needs escaping.
"""


def dump(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def user(key: str) -> dict[str, Any]:
    """The user that a key is until somebody says more of it."""
    return {"id": key, "username": key, "displayName": key, "oderId": key}


def tombstone(room_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A deleted message, as `MESSAGE_DOC` makes it."""
    return {
        "id": row["id"],
        "roomId": room_id,
        "senderId": row["sender_id"],
        "content": "",
        "timestamp": row["timestamp"],
        "serverId": row["server_id"],
        "isDeleted": True,
    }
