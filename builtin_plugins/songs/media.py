"""Covers and sound of songs (songs contract, 5.3).

A file that lies open is served in place. What has to be unpacked or converted is copied once, at
first use, into the plugin's area of the storage, and noted in ``objects`` with the signature of
the song that it was made from; a copy with another signature is not used any more.
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

from builtin_plugins.songs.pictures import as_png
from builtin_plugins.songs.songbook import Song
from builtin_plugins.songs.walking import plain_formats
from plugin_sdk import (
    Blob,
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
        if song.edits.cover is not None:
            key = self.uploaded_key(song.track_id, song.edits.cover)
            return self._kept(self._context.blobs.get(key), _PNG, _tag(key))
        if not song.facts.has_cover:
            raise NotFound("This track has no cover.")
        reader = reader_of(self._context, song)
        key = f"cover_{song.track_id}"
        blob = self._copy(song, key, "cover", lambda: self._picture(song, reader))
        return self._kept(blob, _PNG, _tag(song.signature, "cover"))

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

    def put_upload(self, track_id: str, mark: str, png: bytes) -> None:
        """Stores it; `note_upload` follows with the edit, in one transaction."""
        self._context.blobs.put(self.uploaded_key(track_id, mark), png, _PNG)

    def note_upload(self, song: Song, mark: str) -> None:
        key = self.uploaded_key(song.track_id, mark)
        row = {"key": key, "song": song.id, "signature": mark, "kind": "upload"}
        self._db.table("objects").upsert(row)

    def drop_upload(self, track_id: str, mark: str) -> None:
        """After an edit that came to nothing."""
        self._context.blobs.delete(self.uploaded_key(track_id, mark))

    # Going

    def sweep(self, song_id: int | None = None) -> None:
        """Removes stored objects that nothing refers to any more, of one song or of all. A store
        that fails keeps them for the next time."""
        condition = "" if song_id is None else " AND o.song = :song"
        rows = self._db.query(
            "SELECT o.key FROM objects o LEFT JOIN songs s ON s.id = o.song "
            "LEFT JOIN tracks t ON t.id = o.song LEFT JOIN edits e ON e.id = o.song "
            "WHERE (s.id IS NULL OR (o.kind = 'upload' AND o.signature <> coalesce(e.cover, '')) "
            "OR (o.kind <> 'upload' AND (t.id IS NULL OR o.signature <> s.signature)))" + condition,
            {} if song_id is None else {"song": song_id},
        )
        failures = 0
        for row in rows:
            try:
                self._context.blobs.delete(row["key"])
                self._db.table("objects").delete(row["key"])
            except (StageboxError, OSError) as error:
                self._context.log.warning("A stored copy is removed later: %s", error)
                failures += 1
                if failures == _PATIENCE:  # it is the store, and no single object
                    return

    # Copies

    def _sound(self, song: Song, index: int, key: str) -> Response:
        stem = song.facts.stems[index]
        content_type = stem.mime_type or "application/octet-stream"
        tag = _tag(song.signature, str(index))
        reader = reader_of(self._context, song)
        blob = self._found(song, key)
        if blob is None:
            with self._locks[hash(key) % _LOCKS]:
                blob = self._found(song, key)
                if blob is None:
                    with reading():
                        sound = reader.stem(source_of(self._context, song), index)
                    with sound:
                        if sound.path is not None:
                            headers = _HEADERS
                            tag = _tag(song.signature, str(index), _state_of(sound.path))
                            return Response.file(
                                sound.path, content_type=content_type, etag=tag, headers=headers
                            )
                        blob = self._store(song, key, "sound", sound.stream, content_type)
        return self._kept(blob, content_type, tag)

    def _picture(self, song: Song, reader: SongFormat) -> bytes:
        with reading():
            cover = reader.cover(source_of(self._context, song))
        png = self.as_png(cover.content) if cover is not None else None
        if png is None:
            raise NotFound("This track has no cover.")
        return png

    def _copy(self, song: Song, key: str, kind: str, make: Callable[[], bytes]) -> Blob:
        blob = self._found(song, key)
        if blob is None:
            with self._locks[hash(key) % _LOCKS]:
                blob = self._found(song, key)
                if blob is None:
                    blob = self._store(song, key, kind, io.BytesIO(make()), _PNG)
        return blob

    def _found(self, song: Song, key: str) -> Blob | None:
        row = self._db.table("objects").get(key)
        if row is None or row["signature"] != song.signature:
            return None
        try:
            return self._context.blobs.get(key)
        except NotFound:  # somebody emptied the storage
            return None

    def _store(self, song: Song, key: str, kind: str, stream: BinaryIO, content_type: str) -> Blob:
        blobs = self._context.blobs
        try:
            blobs.put(key, stream, content_type)
        except UnreadableSong as error:  # damaged behind its beginning
            raise NotFound(error.message) from None
        row = {"key": key, "song": song.id, "signature": song.signature, "kind": kind}
        self._db.table("objects").upsert(row)
        if self._db.table("songs").get(song.id) is None:  # deleted meanwhile
            self.sweep(song.id)
        return blobs.get(key)

    @staticmethod
    def _kept(blob: Blob, content_type: str, tag: str) -> Response:
        return Response.file(blob, content_type=content_type, etag=tag, headers=_HEADERS)


def _state_of(path: Path) -> str:
    """Another text when the file is another one: it may change before the next scan sees it."""
    info = path.stat()
    return f"{info.st_mtime_ns}-{info.st_size}"


def _tag(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
