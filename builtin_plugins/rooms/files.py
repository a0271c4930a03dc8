"""Files and images of rooms: rows here, bytes in the active storage provider (10, 5.4).

A row is committed before the first byte is written, so that bytes without a row cannot be left
behind: what stays ``writing`` for an hour is removed with its bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from builtin_plugins.rooms.access import Access, Caller, unknown_room
from builtin_plugins.rooms.core import Core
from builtin_plugins.rooms.spans import DAY_MS, span_ms
from plugin_sdk import Blobs, Conflict, Database, NotFound, StageboxError, TooLarge

__all__ = ["Files", "trash_files"]

_MAX_ID: Final = 2**53 - 1
_HOUR_MS: Final = 3_600_000
_BATCH: Final = 1000
_IMAGE_OWNER: Final = ""
"""Uploader of the row that stands for an image while its bytes are written."""

_TRASH: Final = """
    INSERT INTO blob_trash (blob_key) SELECT blob_key FROM files WHERE {rows}
    ON CONFLICT DO NOTHING
"""
_DELETE: Final = "DELETE FROM files WHERE {rows}"

_OF_KEY: Final = "room_id = :room AND uploader = :key"
_OVER: Final = """id IN (SELECT id FROM files WHERE uploaded_at <= :latest AND (
    (state = 'ready' AND uploaded_at <= :dead) OR (state = 'writing' AND uploaded_at <= :given_up))
    ORDER BY uploaded_at, id LIMIT :batch)"""
_TRASHED: Final = """
    SELECT blob_key FROM blob_trash WHERE blob_key > :after ORDER BY blob_key LIMIT :n
"""


def trash_files(database: Database, room_id: str, key: str) -> None:
    """All files that the key uploaded in the room, in a transaction; their bytes go later."""
    params = {"room": room_id, "key": key}
    database.execute(_TRASH.format(rows=_OF_KEY), params)
    database.execute(_DELETE.format(rows=_OF_KEY), params)


class Files:
    def __init__(self, core: Core, access: Access, blobs: Callable[[], Blobs]) -> None:
        self._core = core
        self._db = core.db
        self._clock = core.clock
        self._settings = core.settings
        self._access = access
        self._blobs = blobs

    def check_size(self, content: bytes) -> None:
        """Raises TooLarge."""
        most = self._settings["maxFileBytes"]
        if len(content) > most:
            raise TooLarge(f"A file may have at most {most} bytes.")

    # Files

    def add(self, caller: Caller, content: bytes) -> int:
        """Stores a file; returns its id. Raises ProviderUnavailable."""
        core, room = self._core, caller.room
        file_id, blob_key = self._begin(room, caller.key, f"files/{room}", len(content))
        with self._discarding(file_id, blob_key):
            self._blobs().put(blob_key, content)
            with core.transaction():
                self._access.confirm(caller)
                if not self._db.table("files").update(file_id, {"state": "ready"}):
                    raise NotFound("The file was removed while it was stored.")
                told = {"room": room, "fileId": file_id, "size": len(content)}
                core.writing.tell("rooms.file_stored", told)
        return file_id

    def read(self, room_id: str, file_id: int) -> bytes:
        """Raises NotFound, also for a file of another room or one whose time is over."""
        row = self._db.table("files").get(file_id) if file_id <= _MAX_ID else None
        if (
            row is None
            or row["room_id"] != room_id
            or row["state"] != "ready"
            or self._clock.ms() >= row["uploaded_at"] + self._life_ms()
        ):
            raise NotFound("There is no such file in this room.")
        return self._blobs().read(row["blob_key"])

    # Images

    def image(self, room_id: str) -> bytes:
        """Raises NotFound."""
        tried = None
        while True:
            row = self._core.groups.row(room_id)
            if row is None or row["image_key"] is None:
                raise NotFound("This room has no image.")
            try:
                return self._blobs().read(row["image_key"])
            except NotFound:
                if row["image_key"] == tried:
                    raise
                tried = row["image_key"]  # replaced between the two looks

    def set_image(
        self, room_id: str, content: bytes, confirm: Callable[[], object] = lambda: None
    ) -> None:
        """Replaces the image at once. ``confirm`` is asked inside of the transaction that does
        it. Raises NotFound, ProviderUnavailable."""
        core, db = self._core, self._db
        row_id, blob_key = self._begin(room_id, _IMAGE_OWNER, f"images/{room_id}", len(content))
        with self._discarding(row_id, blob_key):
            self._blobs().put(blob_key, content)
            with core.transaction():
                confirm()
                group = core.groups.row(room_id)
                if group is None or not db.table("files").delete(row_id):
                    raise unknown_room()
                db.table("open_groups").update(room_id, {"image_key": blob_key})
                if group["image_key"] is not None:
                    self._note_trash(group["image_key"])
                core.writing.tell("rooms.image_changed", {"room": room_id})

    # Cleaning

    def prune(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """Removes files whose time is over, uploads that were given up, and bytes that nothing
        names any more; returns how many of the last."""
        while go_on() and self._prune_rows() >= _BATCH:
            pass
        return self._empty_trash(go_on)

    def _prune_rows(self) -> int:
        now = self._clock.ms()
        dead, given_up = now - self._life_ms(), now - _HOUR_MS
        params: dict[str, Any] = {
            "latest": max(dead, given_up),
            "dead": dead,
            "given_up": given_up,
            "batch": _BATCH,
        }
        with self._core.transaction():
            self._db.execute(_TRASH.format(rows=_OVER), params)
            return self._db.execute(_DELETE.format(rows=_OVER), params)

    def _empty_trash(self, go_on: Callable[[], bool]) -> int:
        removed = 0
        after = ""
        while go_on():
            rows = self._db.query(_TRASHED, {"after": after, "n": _BATCH})
            if not rows:
                break
            for row in rows:
                after = row["blob_key"]
                self._blobs().delete(after)
                self._db.table("blob_trash").delete(after)
                removed += 1
                if not go_on():
                    break
        return removed

    # Inside

    def _begin(self, room_id: str, uploader: str, folder: str, size: int) -> tuple[int, str]:
        """The row of what is going to be written: its id and the key of its bytes."""
        while True:
            file_id = secrets.randbelow(_MAX_ID) + 1
            blob_key = f"{folder}/{file_id if uploader else secrets.token_hex(16)}"
            row = {
                "id": file_id,
                "room_id": room_id,
                "uploader": uploader,
                "size": size,
                "uploaded_at": self._clock.ms(),
                "state": "writing",
                "blob_key": blob_key,
            }
            try:
                with self._core.transaction():
                    self._db.table("files").insert(row)
            except Conflict:  # the id is taken: draw again
                continue
            return file_id, blob_key

    @contextmanager
    def _discarding(self, row_id: int, blob_key: str) -> Iterator[None]:
        """Takes row and bytes away when what is inside fails."""
        try:
            yield
        except StageboxError:
            with self._core.transaction():
                self._db.table("files").delete(row_id)
                self._note_trash(blob_key)
            raise

    def _note_trash(self, blob_key: str) -> None:
        self._db.table("blob_trash").insert_all([{"blob_key": blob_key}], ignore=True)

    def _life_ms(self) -> int:
        return span_ms(self._settings["fileLifetimeDays"], DAY_MS)
