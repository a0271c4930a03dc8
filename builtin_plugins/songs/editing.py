"""Editing and deleting tracks (songs contract, 5.4 and 5.5)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from builtin_plugins.songs.deletions import Deletions
from builtin_plugins.songs.facts import EDITABLE
from builtin_plugins.songs.index import LibraryIndex
from builtin_plugins.songs.media import Media, signature_of
from builtin_plugins.songs.pictures import as_png
from builtin_plugins.songs.songbook import Song, Songbook
from plugin_sdk import Context, Invalid, NotFound, Problem, Request, TooLarge, Upload

__all__ = ["MAX_BODY", "Editing"]

MAX_BODY: Final = 12 * 1024 * 1024
_MAX_COVER: Final = 10 * 1024 * 1024
_TEXTS: Final[Mapping[str, int]] = {"title": 1, "artist": 0, "album": 0}
_LONGEST: Final = 255
_YEARS: Final = range(10_000)

_Draw = Callable[[bytes], bytes | None]


class Editing:
    def __init__(
        self, context: Context, index: LibraryIndex, songbook: Songbook, media: Media
    ) -> None:
        self._context = context
        self._db = context.db
        self._index = index
        self._songbook = songbook
        self._media = media

    def edit(self, request: Request, track_id: str) -> dict[str, Any]:
        """Changes some of the overrides, or none when a field is unfit; the Track afterwards."""
        changes = _read(request, self._media.as_png)
        song = self._songbook.get(track_id)
        columns: dict[str, str | None] = {
            name: changes[name] for name in EDITABLE[:4] if name in changes
        }
        png = changes.get("coverImage")
        if "coverImage" in changes:
            columns["cover"] = None if png is None else uuid.uuid4().hex
        if columns:
            self._write(song, columns, png)
        if "cover" in columns:
            self._media.sweep(song.id)
        return self._songbook.get(track_id).track()

    def delete(self, track_id: str) -> None:
        """With everything that hangs on it, and remembers that."""
        signature = signature_of(self._context, self._songbook.get(track_id))
        with self._db.transaction():
            song = self._songbook.get(track_id)
            self._index.remove([song.id])
            Deletions(self._db).remember(track_id, signature)
            self._context.events.emit("songs.track_deleted", {"trackId": track_id})
        self._media.sweep(song.id)

    def _write(self, song: Song, columns: Mapping[str, str | None], png: bytes | None) -> None:
        """``png`` is the cover that the column ``cover`` marks."""
        mark = columns.get("cover")
        try:
            if mark is not None and png is not None:
                self._media.put_upload(song, mark, png)
            with self._db.transaction():
                if self._songbook.id_of(song.track_id) != song.id:  # gone and come back
                    raise NotFound("There is no such track.")
                row = self._db.table("edits").get(song.id)
                revision = 1 if row is None else row["revision"] + 1
                self._db.table("edits").upsert({"id": song.id, **columns, "revision": revision})
                if mark is not None:
                    self._media.note_upload(song, mark)
                self._index.refresh(song.id)
                self._context.events.emit("songs.track_edited", {"trackId": song.track_id})
        except BaseException:
            if mark is not None:
                self._media.drop_upload(song.track_id, mark)
            raise


def _read(request: Request, draw: _Draw = as_png) -> dict[str, Any]:
    """The fields that are there: texts, PNG bytes, or None to take an override away."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    uploads: list[Upload] = []
    if request.form is not None:
        sent: Mapping[str, Any] = request.form.fields
        uploads = [upload for upload in request.form.files if upload.name in EDITABLE]
    else:
        sent = request.body or {}
    for name, least in _TEXTS.items():
        if name in sent:
            values[name] = _text(name, sent[name], least, problems)
    if "year" in sent:
        values["year"] = _year(sent["year"], problems)
    if sent.get("coverImage", None) is not None:
        problems.append(Problem("coverImage", "must be a file, or null to take it away"))
    elif "coverImage" in sent:
        values["coverImage"] = None
    for upload in uploads:
        if upload.name != "coverImage":
            problems.append(Problem(upload.name, "must be a text, and no file"))
        elif "coverImage" in values:
            problems.append(Problem("coverImage", "may be given once"))
        else:
            values["coverImage"] = _cover(upload, problems, draw)
    if problems:
        text = f"{problems[0].path} {problems[0].message}."
        raise Invalid(text, details=problems)
    return values


def _text(name: str, value: Any, least: int, problems: list[Problem]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not least <= len(value.strip()) <= _LONGEST or "\0" in value:
        problems.append(Problem(name, f"must be a text of {least} to {_LONGEST} characters"))
        return None
    return value.strip()


def _year(value: Any, problems: list[Problem]) -> str | None:
    if value is None:
        return None
    if value == "":
        return ""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and value in _YEARS:
        return str(value)
    problems.append(Problem("year", 'must be an integer from 0 to 9999, or "" for unknown'))
    return None


def _cover(upload: Upload, problems: list[Problem], draw: _Draw) -> bytes | None:
    if upload.size > _MAX_COVER:
        raise TooLarge(f"coverImage may have {_MAX_COVER >> 20} MiB at most.")
    png = draw(upload.file.read())
    if png is None:
        message = "must be a PNG, JPEG or WebP image of 8192 pixels at most on a side"
        problems.append(Problem("coverImage", message))
    return png
