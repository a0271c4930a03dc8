"""Deleting messages of open groups: the row stays as a tombstone, a record tells of it.

Open-group contract, section 7: however a message is deleted, its data are gone at once and there
is exactly one record, drawn in the same transaction; records of one call ascend with the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from builtin_plugins.rooms.documents import dump, tombstone
from builtin_plugins.rooms.groups import OpenGroups
from builtin_plugins.rooms.writing import Writing
from plugin_sdk import Database, Row

__all__ = ["Deletions"]

_CHUNK: Final = 400
"""Numbers in one statement; shorter lists are filled up, so that the statements stay the same."""
_EVENT: Final = 1000
_LIST: Final = ", ".join(f":n{number}" for number in range(_CHUNK))
_IN: Final = f"room_id = :room AND server_id IS NOT NULL AND server_id IN ({_LIST})"
# ruff: noqa: S608  (constants only)
_LIVING: Final = (
    f"SELECT server_id, id, sender_id, timestamp, doc FROM messages WHERE {_IN} AND is_deleted = 0"
)
_BURY: Final = (
    "UPDATE messages SET is_deleted = 1, data = NULL, signature = NULL"
    f" WHERE {_IN} AND is_deleted = 0"
)
_RECORDED: Final = (
    f"SELECT server_id FROM deletions WHERE room_id = :room AND server_id IN ({_LIST})"
)
_RECORD: Final = "INSERT INTO deletions (room_id, id, server_id) VALUES (:room_id, :id, :server_id)"
_AUTHORS: Final = f"SELECT DISTINCT sender_id FROM messages WHERE {_IN}"
_DOC: Final = "UPDATE messages SET doc = :doc WHERE id = :id"


def _chunks(room_id: str, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Parameters ``room`` and ``n0`` to ``n399`` of the statements above."""
    for start in range(0, len(numbers), _CHUNK):
        part = list(numbers[start : start + _CHUNK])
        part += part[-1:] * (_CHUNK - len(part))
        yield {"room": room_id, **{f"n{at}": number for at, number in enumerate(part)}}


class Deletions:
    """All is called in a transaction."""

    def __init__(self, database: Database, groups: OpenGroups, writing: Writing) -> None:
        self._db = database
        self._groups = groups
        self._writing = writing

    def delete(self, room_id: str, server_ids: Iterable[int], by: str) -> list[int]:
        """Deletes those messages that are there and not deleted yet; returns their numbers,
        ascending. ``by`` is a key, ``cli`` or the id of a plugin. Beyond 1,000 messages in one
        call ``rooms.messages_deleted`` tells of all, and there is no ``rooms.saved`` of each."""
        wanted = sorted(set(server_ids))
        rows = [row for part in _chunks(room_id, wanted) for row in self._db.query(_LIVING, part)]
        if not rows:
            return []
        numbers = sorted(row["server_id"] for row in rows)
        for part in _chunks(room_id, numbers):
            self._db.execute(_BURY, part)
        self._append(room_id, numbers)
        few = len(rows) <= _EVENT  # thousands of events of one call would take longer than it
        for row in rows:
            self._rewrite(room_id, row, event=few)
        for start in range(0, len(numbers), _EVENT):
            told = {"room": room_id, "serverIds": numbers[start : start + _EVENT], "by": by}
            self._writing.tell("rooms.messages_deleted", told)
        return numbers

    def record(self, room_id: str, server_ids: Iterable[int]) -> None:
        """Records for those numbers that have none, ascending (imported tombstones)."""
        wanted = sorted(set(server_ids))
        have = {
            number
            for part in _chunks(room_id, wanted)
            for number in self._db.values(_RECORDED, part)
        }
        fresh = [number for number in wanted if number not in have]
        if fresh:
            self._append(room_id, fresh)

    def authors(self, room_id: str, server_ids: Sequence[int]) -> Iterator[str]:
        """Who wrote these messages, deleted ones included; looked up while they are asked for, so
        that the first stranger ends it."""
        for part in _chunks(room_id, server_ids):
            yield from self._db.values(_AUTHORS, part)

    def _append(self, room_id: str, numbers: Sequence[int]) -> None:
        first = self._groups.draw_deletion_ids(room_id, len(numbers))
        self._db.executemany(
            _RECORD,
            (
                {"room_id": room_id, "id": id, "server_id": number}
                for id, number in enumerate(numbers, first)
            ),
        )

    def _rewrite(self, room_id: str, row: Row, *, event: bool) -> None:
        """The finished text of an imported message, and word of the change."""
        if row["doc"] is None:
            doc = tombstone(room_id, row)
        else:
            doc = {**json.loads(row["doc"]), "isDeleted": True, "content": ""}
            doc.pop("signature", None)
            self._db.execute(_DOC, {"doc": dump(doc), "id": row["id"]})
        self._writing.saved("message", row["id"], doc, event=event)
