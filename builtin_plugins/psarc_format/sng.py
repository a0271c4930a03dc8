"""Binary charts: the envelope, and the sections inside (songs contract, section 12)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from builtin_plugins.psarc_format.keys import Keys
from plugin_sdk import UnreadableSong

__all__ = ["Fields", "Sng", "SngLevel", "open_sng", "parse_sng", "string_bends"]

MAX_SNG: Final = 50 * 1024 * 1024
_MAGIC: Final = 0x4A
_SIGNATURE: Final = 56
_ENVELOPE: Final = struct.Struct("<II16s")

Fields = tuple[Any, ...]

_BEAT: Final = struct.Struct("<fHHii")
_PHRASE: Final = struct.Struct("<4Bii32s")
_CHORD: Final = struct.Struct("<I6b6b6i32s")
_CHORD_NOTES: Final = struct.Struct("<6I2328s6b6b6h")
_BEND: Final = struct.Struct("<ffhBB")
_BENDS: Final = 388
"""Bytes of one string's bends: 32 points, and how many of them are used."""
_VOCAL: Final = struct.Struct("<fif48s")
_ITERATION: Final = struct.Struct("<iff3i")
_TONE: Final = struct.Struct("<fi")
_SECTION: Final = struct.Struct("<32siffii36s")
_ANCHOR: Final = struct.Struct("<4fiii")
_FINGERPRINT: Final = struct.Struct("<i4f")
_NOTE: Final = struct.Struct("<IIIfbbbbiiii2hhhh7bhff")
_METADATA: Final = struct.Struct("<4dffb32shfi")
_END: Final = struct.Struct("<ffi")


@dataclass(slots=True)
class SngLevel:
    """Records of one difficulty; of a note the fields of `_NOTE`, then its bends."""

    difficulty: int
    anchors: list[Fields] = field(default_factory=list)
    shapes: list[Fields] = field(default_factory=list)
    arpeggios: list[Fields] = field(default_factory=list)
    notes: list[tuple[Fields, list[Fields]]] = field(default_factory=list)


@dataclass(slots=True)
class Sng:
    """A whole chart, as its records."""

    beats: list[Fields]
    phrases: list[Fields]
    chords: list[Fields]
    chord_notes: list[Fields]
    vocals: list[Fields]
    iterations: list[Fields]
    tones: list[Fields]
    sections: list[Fields]
    levels: list[SngLevel]
    capo: int
    length: float
    tuning: tuple[int, ...]


def open_sng(content: bytes, keys: Keys, *, mac: bool) -> Sng:
    """Raises UnreadableSong: keys that are missing or wrong, or a chart that is damaged."""
    if len(content) < _ENVELOPE.size + _SIGNATURE:
        raise UnreadableSong("a binary chart is damaged")
    magic, _, counter = _ENVELOPE.unpack_from(content)
    if magic != _MAGIC:
        raise UnreadableSong("a binary chart is damaged")
    hidden = content[_ENVELOPE.size : -_SIGNATURE]
    for candidate in keys.open_sng(hidden, counter, mac=mac):
        body = _inflated(candidate)
        if body is not None:
            return parse_sng(body)
    raise UnreadableSong("a binary chart does not open with the configured keys")


def _inflated(content: bytes) -> bytes | None:
    """None when it is not what the right key would give."""
    length = int.from_bytes(content[:4], "little")
    if length > MAX_SNG:
        return None
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(content[4:], length + 1)
    except zlib.error:
        return None
    return body if len(body) == length else None


def parse_sng(body: bytes) -> Sng:
    """Raises UnreadableSong unless the last section ends at the last byte."""
    reader = _Reader(body)
    try:
        found = _sng(reader)
    except struct.error:
        raise UnreadableSong("a binary chart is damaged: it ends too early") from None
    if not reader.at_end:
        raise UnreadableSong("a binary chart is damaged: it goes on behind its end")
    return found


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._body)

    def take(self, kind: struct.Struct) -> Fields:
        fields = kind.unpack_from(self._body, self._at)
        self._at += kind.size
        return fields

    def count(self, least: int) -> int:
        """How many records of at least so many bytes follow."""
        (count,) = struct.unpack_from("<i", self._body, self._at)
        self._at += 4
        if count < 0 or count * least > len(self._body) - self._at:
            raise UnreadableSong("a binary chart is damaged: a section is too long")
        return int(count)

    def records(self, kind: struct.Struct) -> list[Fields]:
        count = self.count(kind.size)
        end = self._at + count * kind.size
        found = list(kind.iter_unpack(memoryview(self._body)[self._at : end]))
        self._at = end
        return found

    def skip(self, size: int) -> None:
        """Records that nobody here needs."""
        length = self.count(size) * size
        self._at += length

    def integer(self) -> int:
        (value,) = struct.unpack_from("<i", self._body, self._at)
        self._at += 4
        return int(value)


def _sng(reader: _Reader) -> Sng:
    beats, phrases = reader.records(_BEAT), reader.records(_PHRASE)
    chords, chord_notes = reader.records(_CHORD), reader.records(_CHORD_NOTES)
    vocals = reader.records(_VOCAL)
    if vocals:
        for size in (32, 144, 44):  # symbol headers, textures, definitions
            reader.skip(size)
    iterations = reader.records(_ITERATION)
    reader.skip(16)  # phrase extra
    for _ in range(reader.count(8)):  # linked difficulties
        reader.integer()
        reader.skip(4)
    reader.skip(260)  # actions
    reader.skip(260)  # events
    tones = reader.records(_TONE)
    reader.skip(8)  # DNA
    sections = reader.records(_SECTION)
    levels = [_level(reader) for _ in range(reader.count(36))]
    *_, capo, _, _, length, strings = reader.take(_METADATA)
    if not 0 <= strings <= 64:
        raise UnreadableSong("a binary chart is damaged: its strings are too many")
    tuning = reader.take(struct.Struct(f"<{strings}h"))
    reader.take(_END)
    return Sng(
        beats, phrases, chords, chord_notes, vocals, iterations, tones, sections, levels,
        capo, length, tuning,
    )  # fmt: skip


def _level(reader: _Reader) -> SngLevel:
    level = SngLevel(reader.integer(), reader.records(_ANCHOR))
    reader.skip(12)  # anchor extensions
    level.shapes = reader.records(_FINGERPRINT)
    level.arpeggios = reader.records(_FINGERPRINT)
    for _ in range(reader.count(_NOTE.size + 4)):
        note = reader.take(_NOTE)
        level.notes.append((note, reader.records(_BEND)))
    for _ in range(3):  # averages and counts by phrase
        reader.skip(4)
    return level


def string_bends(bends: bytes) -> Iterator[list[Fields]]:
    """Of chord notes, string by string."""
    for at in range(0, len(bends), _BENDS):
        used = int.from_bytes(bends[at + _BENDS - 4 : at + _BENDS], "little", signed=True)
        points = list(_BEND.iter_unpack(bends[at : at + _BENDS - 4]))
        yield points[: max(0, min(used, len(points)))]
