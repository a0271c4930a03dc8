"""Covers and sound of songs (songs contract, 5.3).

A file that lies open is served in place. What has to be unpacked or converted is copied once, at
first use, into the plugin's area of the storage, and noted in ``objects`` with the signature of
the song that it was made from; a copy with another signature is not used any more. It is noted
before as well, so that what a process leaves that ends in between is found by a sweep.
"""
# ruff: noqa: S608 - what is put together is our own; values are parameters

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from builtin_plugins.songs.pictures import as_png, is_picture
from builtin_plugins.songs.songbook import Song
from builtin_plugins.songs.walking import plain_formats
from plugin_sdk import (
    Blob,
    BlobInfo,
    Context,
    NotFound,
    ProviderUnavailable,
    Response,
    SongFormat,
    SongSource,
    StageboxError,
    Unavailable,
    UnreadableSong,
    song_signature,
)

__all__ = ["Media", "reader_of", "reading", "signature_of", "source_of"]

_HEADERS: Final = {"Cache-Control": "no-cache"}
_PNG: Final = "image/png"
_LOCKS: Final = 256
_PATIENCE: Final = 3
_UPLOADING_MS: Final = 3_600_000
"""After so long an upload is given up: its process has ended, or it could not be stored."""

_Make = Callable[[], Blob | Path]
"""A copy in the storage, or the file that can be served in place."""


def reader_of(context: Context, song: Song) -> SongFormat:
    """Raises Unavailable while the plugin that reads the song is switched off."""
    try:
        reader: SongFormat = context.providers.get("song_format", song.format)
    except ProviderUnavailable:
        text = f"Songs of the format {song.format} cannot be read: its plugin is switched off."
        raise Unavailable(text, code="FORMAT_UNAVAILABLE") from None
    return reader


def source_of(context: Context, song: Song) -> SongSource:
    """Raises NotFound without a song folder."""
    folder = context.settings["dlcDir"]
    if not folder:
        raise NotFound("The song's file cannot be found: there is no song folder.")
    return SongSource(Path(folder, song.path), Path(folder))


def signature_of(context: Context, song: Song) -> str:
    """The file's of this moment, which no scan may have seen yet; that of the last scan where
    there is none, or where to ask for it may take long."""
    try:
        if reader_of(context, song).name in plain_formats(context.providers.chain("song_format")):
            return song_signature(source_of(context, song).path)
    except (NotFound, Unavailable, OSError) as error:
        context.log.debug("The signature of %s is that of its scan: %s", song.track_id, error)
    return song.signature


@contextmanager
def reading() -> Iterator[None]:
    """Around what a reader does. Raises NotFound for what cannot be read any more: the next scan
    takes it away."""
    try:
        yield
    except UnreadableSong as error:
        raise NotFound(error.message) from None
    except OSError:
        raise NotFound("The song's file has vanished, or cannot be read.") from None


class Media:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._db = context.db
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._drawing = threading.Lock()

    def cover(self, song: Song) -> Response:
        mark = song.edits.cover
        if mark is not None:
            try:
                return self._uploaded(song, mark)
            except NotFound:  # another one came while we looked
                now = self._mark(song)
                if now == mark:
                    raise
                if now is not None:
                    return self._uploaded(song, now)
        if not song.facts.has_cover:
            raise NotFound("This track has no cover.")
        reader = reader_of(self._context, song)
        key = f"cover_{song.track_id}"
        return self._answer(song, key, lambda: self._drawn(song, reader, key), _PNG, "cover")

    def audio(self, song: Song) -> Response:
        if song.facts.audio is None:
            raise NotFound("This track has no sound.")
        return self._sound(song, song.facts.audio, f"audio_{song.track_id}")

    def stem(self, song: Song, index: int) -> Response:
        stems = song.facts.stems
        if index >= len(stems) or stems[index].mime_type is None:
            raise NotFound("There is no sound of this stem.")
        return self._sound(song, index, f"stem_{song.track_id}_{index}")

    def as_png(self, content: bytes) -> bytes | None:
        """See `pictures.as_png`. One at a time: a picture may take 500 MB while it is decoded."""
        with self._drawing:
            return as_png(content)

    # Uploaded covers

    @staticmethod
    def uploaded_key(track_id: str, mark: str) -> str:
        """Each upload has a key of its own, so that none is overwritten under its reader."""
        return f"cover_{track_id}/{mark}"

    def put_upload(self, song: Song, mark: str, png: bytes) -> None:
        """Stores it; `note_upload` follows with the edit, in one transaction."""
        key = self.uploaded_key(song.track_id, mark)
        since = f"{self._context.clock.ms():015d}"  # compared as text
        row = {"key": key, "song": song.id, "signature": since, "kind": "uploading"}
        self._db.table("objects").insert(row)
        self._context.blobs.put(key, png, _PNG)

    def note_upload(self, song: Song, mark: str) -> None:
        key = self.uploaded_key(song.track_id, mark)
        if not self._db.table("objects").update(key, {"signature": mark, "kind": "upload"}):
            raise Unavailable("Storing the cover took too long: send it again.", retry_after=1)

    def drop_upload(self, track_id: str, mark: str) -> None:
        """After an edit that came to nothing."""
        self._remove(self.uploaded_key(track_id, mark))

    # Going

    def sweep(self, song_id: int | None = None) -> None:
        """Removes stored objects that nothing refers to any more, of one song or of all. A store
        that fails keeps them for the next time."""
        condition = "" if song_id is None else " AND o.song = :song"
        params: dict[str, str | int] = {} if song_id is None else {"song": song_id}
        given_up = f"{self._context.clock.ms() - _UPLOADING_MS:015d}"
        rows = self._db.query(
            "SELECT o.* FROM objects o LEFT JOIN songs s ON s.id = o.song "
            "LEFT JOIN tracks t ON t.id = o.song LEFT JOIN edits e ON e.id = o.song "
            "WHERE (s.id IS NULL OR CASE o.kind WHEN 'uploading' THEN o.signature < :given_up "
            "WHEN 'upload' THEN o.signature <> coalesce(e.cover, '') "
            "ELSE t.id IS NULL OR o.signature <> s.signature END)" + condition,
            {**params, "given_up": given_up},
        )
        failures = 0
        for row in rows:
            if self._db.table("objects").get(row["key"]) != row:  # it is another one by now
                continue
            failures += not self._remove(row["key"])
            if failures == _PATIENCE:  # it is the store, and no single object
                return

    def _remove(self, key: str) -> bool:
        try:
            self._context.blobs.delete(key)
            self._db.table("objects").delete(key)
        except (StageboxError, OSError) as error:
            self._context.log.warning("A stored copy is removed later: %s", error)
            return False
        return True

    # Copies

    def _uploaded(self, song: Song, mark: str) -> Response:
        key = self.uploaded_key(song.track_id, mark)

        def again() -> Blob:
            lost = NotFound("The cover is lost.")
            raise lost if self._mark(song) == mark else _changed()

        kept = _Kept(self._context.blobs.get(key), again)
        return Response.file(kept, content_type=_PNG, etag=_tag(key), headers=_HEADERS)

    def _mark(self, song: Song) -> str | None:
        """Of the uploaded cover of this moment."""
        sql = "SELECT cover FROM edits WHERE id = :id"
        mark: str | None = self._db.value(sql, {"id": song.id})
        return mark

    def _sound(self, song: Song, index: int, key: str) -> Response:
        content_type = song.facts.stems[index].mime_type or "application/octet-stream"
        reader = reader_of(self._context, song)

        def unpacked() -> Blob | Path:
            with reading():
                sound = reader.stem(source_of(self._context, song), index)
            with sound:
                if sound.path is not None:
                    return sound.path
                return self._store(song, key, "sound", sound.stream, content_type)

        return self._answer(song, key, unpacked, content_type, str(index))

    def _drawn(self, song: Song, reader: SongFormat, key: str) -> Blob | Path:
        """A PNG that lies open is served in place. That it can be decoded was seen when the song
        was read."""
        source = source_of(self._context, song)
        with reading():
            cover = reader.cover(source)
            if cover is None:
                raise NotFound("This track has no cover.")
            open_png = cover.path if cover.media_type == _PNG else None
            if open_png is not None and (
                reader.signature(source) == song.signature or is_picture(cover.content)
            ):
                return open_png
        png = self.as_png(cover.content)
        if png is None:
            raise NotFound("This track has no cover.")
        return self._store(song, key, "cover", io.BytesIO(png), _PNG)

    def _answer(self, song: Song, key: str, make: _Make, content_type: str, part: str) -> Response:
        try:
            found = self._copy(song, key, make)
        except _Swept:
            found = self._again(song, key, make)
        state: tuple[str, ...] = ()
        source: Blob | Path = found
        if isinstance(found, Path):
            with reading():
                state = (_state_of(found),)
        else:
            source = _Kept(found, lambda: self._again(song, key, make))
        tag = _tag(song.signature, part, *state)
        return Response.file(source, content_type=content_type, etag=tag, headers=_HEADERS)

    def _copy(self, song: Song, key: str, make: _Make) -> Blob | Path:
        blob = self._found(song, key)
        if blob is None:
            with self._locks[hash(key) % _LOCKS]:
                blob = self._found(song, key)
                if blob is None:
                    return make()
        return blob

    def _again(self, song: Song, key: str, make: _Make) -> Blob:
        """Once more, after a sweep removed the copy that was found. Raises NotFound when it is the
        song that is gone."""
        signature = self._db.value(
            "SELECT s.signature FROM songs s JOIN tracks t ON t.id = s.id WHERE s.id = :id",
            {"id": song.id},
        )
        if signature is None:
            raise NotFound("There is no such track.")
        found = self._copy(song, key, make) if signature == song.signature else None
        if found is None or isinstance(found, Path):
            raise _changed()
        return found

    def _found(self, song: Song, key: str) -> Blob | None:
        row = self._db.table("objects").get(key)
        if row is None or row["signature"] != song.signature:
            return None
        try:
            return self._context.blobs.get(key)
        except NotFound:  # somebody emptied the storage
            return None

    def _store(self, song: Song, key: str, kind: str, stream: BinaryIO, content_type: str) -> Blob:
        blobs, objects = self._context.blobs, self._db.table("objects")
        row = {"key": key, "song": song.id, "signature": song.signature, "kind": kind}
        objects.insert_all([{**row, "signature": ""}], ignore=True)
        try:
            blobs.put(key, stream, content_type)
        except UnreadableSong as error:  # damaged behind its beginning
            raise NotFound(error.message) from None
        objects.upsert(row)
        if self._db.table("songs").get(song.id) is None:  # deleted meanwhile
            self.sweep(song.id)
        try:
            return blobs.get(key)
        except NotFound:
            raise _Swept("The stored copy was removed.") from None


class _Swept(NotFound):
    """A sweep that began before removed what was just stored."""


class _Kept(Blob):
    """A stored copy that a sweep may remove between its look-up and its reading: then ``again``
    gives it once more, or says why not."""

    def __init__(self, blob: Blob, again: Callable[[], Blob]) -> None:
        self._blob = blob
        self._again = again

    @property
    def info(self) -> BlobInfo:
        return self._blob.info

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        try:
            return self._blob.open(start, length)
        except NotFound:
            blob = self._again()
        if blob.info.size != self.info.size:  # what was announced is another one
            raise _changed()
        return blob.open(start, length)

    def url(self, expires: int = 300) -> str | None:
        return self._blob.url(expires)


def _changed() -> Unavailable:
    return Unavailable("The song has changed at this moment: ask again.", retry_after=1)


def _state_of(path: Path) -> str:
    """Another text when the file is another one: it may change before the next scan sees it."""
    info = path.stat()
    return f"{info.st_mtime_ns}-{info.st_size}"


def _tag(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
