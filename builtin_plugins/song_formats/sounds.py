"""Types of sound (songs contract, 5.3)."""

from __future__ import annotations

from typing import Final

__all__ = ["sound_type"]

_CODECS: Final = {
    "vorbis": "audio/ogg",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "pcm": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
}


def sound_type(name: str, codec: str | None = None) -> str:
    """By the codec, if it is one that we know, else by the file name's extension."""
    extension = name.rpartition(".")[2] if "." in name else ""
    for word in (codec or "", extension):
        if found := _CODECS.get(word.strip().lower()):
            return found
    return "application/octet-stream"
