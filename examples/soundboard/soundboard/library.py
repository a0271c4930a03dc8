"""The sounds that the board can play: those it makes itself, and those that people upload.

All bytes are blobs. A built-in sound becomes one when it is first asked for; an upload is named
after its content, so two that race for one name are one and the same sound.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from plugin_sdk import Blob, Conflict, Context, NotFound, TooLarge, UnsupportedMediaType, Upload

from .sounds import EDITION, SOUNDS, wav

__all__ = ["UPLOAD_LIMIT", "Library", "audio_type"]

UPLOAD_LIMIT: Final = 20 * 1024 * 1024
"""Bytes: the most that the setting ``maxUploadBytes`` may allow."""


class Library:
    def __init__(self, context: Context) -> None:
        self._context = context

    def sounds(self) -> Iterator[dict[str, Any]]:
        """``{"name", "label", "uploaded"}`` of each sound: built-in ones, then uploads by name."""
        for name, sound in SOUNDS.items():
            yield {"name": name, "label": sound.label, "uploaded": False}
        for key, label in self._context.data.items("upload:"):
            yield {"name": key.removeprefix("upload:"), "label": label, "uploaded": True}

    def __contains__(self, name: object) -> bool:
        return name in SOUNDS or self._context.data.get(f"upload:{name}") is not None

    def open(self, name: str) -> Blob:
        """The bytes of a sound; raises NotFound."""
        blobs = self._context.blobs
        if name not in self:
            raise NotFound(f"There is no sound called {name}.")
        if name not in SOUNDS:
            return blobs.get(f"uploads/{name}")
        key = f"built-in/{EDITION}/{name}.wav"
        if not blobs.exists(key):
            blobs.put(key, wav(SOUNDS[name]), "audio/wav")
        return blobs.get(key)

    def add(self, upload: Upload, label: str) -> dict[str, Any]:
        """Keeps an upload. Raises TooLarge, UnsupportedMediaType, and Conflict when the sound is
        there already or the library is full."""
        limit = self._context.settings["maxUploadBytes"]
        if upload.size > limit:
            raise TooLarge(f"A sound may have {limit:,} bytes at most.")
        content_type = audio_type(upload.file)
        name = _name(label, upload.file)
        self._check_room(name)
        # First the bytes, then the record of them: what is listed can be played, also after a
        # crash in between. Storage may be far away, so no transaction is open meanwhile.
        self._context.blobs.put(f"uploads/{name}", upload.file, content_type)
        with self._context.data.transaction():
            self._check_room(name)
            self._context.data.set(f"upload:{name}", label)
        return {"name": name, "label": label, "uploaded": True}

    def remove(self, name: str) -> None:
        """Raises NotFound for what is no upload."""
        if not self._context.data.delete(f"upload:{name}"):
            raise NotFound(f"There is no uploaded sound called {name}.")
        self._context.blobs.delete(f"uploads/{name}")

    def _check_room(self, name: str) -> None:
        if name in self:
            raise Conflict("This sound is on the board already.", code="SOUND_EXISTS")
        if len(self._context.data.keys("upload:")) >= self._context.settings["maxUploads"]:
            raise Conflict("The library is full: remove a sound first.", code="LIBRARY_FULL")


def audio_type(file: BinaryIO) -> str:
    """The media type that the first bytes of a file tell; what the client claims is no evidence.

    Raises UnsupportedMediaType for anything but WAV, OGG and MP3."""
    head = file.read(12)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        return "audio/wav"
    if head[:4] == b"OggS":
        return "audio/ogg"
    # An MP3 begins with a tag, or with a frame: eleven set bits, then layer III.
    if head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2):
        return "audio/mpeg"
    raise UnsupportedMediaType("This is no WAV, OGG or MP3 file.")


def _name(label: str, file: BinaryIO) -> str:
    """``air-horn-1f2e3d4c``: for people, and different for different content."""
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "sound"
    digest = hashlib.sha256()
    while piece := file.read(64 * 1024):
        digest.update(piece)
    file.seek(0)
    return f"{slug}-{digest.hexdigest()[:8]}"
