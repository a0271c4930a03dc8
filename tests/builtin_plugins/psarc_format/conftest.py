"""Archives that the tests build themselves, encrypted with keys of their own."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from builtin_plugins.psarc_format.keys import CFB, Keys
from builtin_plugins.psarc_format.provider import PsarcReader
from builtin_plugins.song_formats.tools import SongTools
from plugin_sdk import SongSource

KEYS = Keys(bytes(range(32)), bytes(range(16)), bytes(range(32, 64)), bytes(range(64, 96)))
BLOCK = 65_536


def blocks_of(content: bytes) -> list[bytes]:
    """As they are stored: deflated where that helps."""
    found = []
    for at in range(0, len(content), BLOCK):
        block = content[at : at + BLOCK]
        packed = zlib.compress(block)
        found.append(packed if len(packed) < len(block) else block)
    return found


def archive(files: Mapping[str, bytes], *, keys: Keys | None = None) -> bytes:
    """A whole PSARC; with keys its table of contents is encrypted."""
    entries = [("", "\n".join(files).encode()), *files.items()]
    toc_length = (
        32 + 30 * len(entries) + 2 * sum(math.ceil(len(content) / BLOCK) for _, content in entries)
    )
    listing, sizes, body = b"", b"", b""
    number = 0
    for name, content in entries:
        digest = hashlib.md5(name.encode()).digest() if name else bytes(16)
        offset = toc_length + len(body)
        listing += digest + struct.pack(">I", number)
        listing += len(content).to_bytes(5) + offset.to_bytes(5)
        for block in blocks_of(content):
            sizes += struct.pack(">H", len(block) % BLOCK)
            body += block
            number += 1
    toc = listing + sizes
    if keys is not None:
        toc = _through(Cipher(AES(keys.toc_key), CFB(keys.toc_iv)).encryptor(), toc)
    head = (b"PSAR", 1, 4, b"zlib", toc_length, 30, len(entries), BLOCK, 4 if keys else 0)
    return struct.pack(">4sHH4sIIIII", *head) + toc + body


def _through(cipher: Any, content: bytes) -> bytes:
    return cipher.update(content) + cipher.finalize()


@dataclass
class Sng:
    """A binary chart, as its records; the writer is the format's description read the other way."""

    beats: Sequence[tuple] = ()
    phrases: Sequence[tuple[str, int]] = (("all", 0),)
    chords: Sequence[tuple] = ()
    chord_notes: Sequence[bytes] = ()
    vocals: Sequence[tuple[float, float, str]] = ()
    iterations: Sequence[tuple[int, float]] = ((0, 0.0),)
    tones: Sequence[tuple[float, int]] = ()
    sections: Sequence[tuple[str, int, float]] = ()
    levels: Sequence[dict[str, Any]] = field(default_factory=list)
    capo: int = -1
    tuning: Sequence[int] = (0, 0, 0, 0, 0, 0)
    length: float = 100.0

    def body(self) -> bytes:
        out = listed([struct.pack("<fHHii", *beat) for beat in self.beats])
        out += listed(
            [
                struct.pack("<4Bii32s", 1, 0, 1, 0, top, 1, name.encode())
                for name, top in self.phrases
            ]
        )
        out += listed([struct.pack("<I6b6b6i32s", *chord) for chord in self.chords])
        out += listed(self.chord_notes)
        out += listed(
            [struct.pack("<fif48s", t, 254, d, word.encode()) for t, d, word in self.vocals]
        )
        if self.vocals:
            out += listed([bytes(32)]) + listed([bytes(144)] * 2) + listed([bytes(44)])
        out += listed([struct.pack("<iff3i", p, t, 0, 0, 0, 0) for p, t in self.iterations])
        out += listed([bytes(16)])
        out += listed([struct.pack("<ii", 1, 2) + bytes(8)])  # linked difficulties
        out += listed([bytes(260)]) + listed([])
        out += listed([struct.pack("<fi", *tone) for tone in self.tones])
        out += listed([bytes(8)])
        out += listed(
            [
                struct.pack("<32siffii36s", n.encode(), i, t, 0, 0, 0, b"")
                for n, i, t in self.sections
            ]
        )
        out += listed([level_record(level) for level in self.levels])
        out += struct.pack("<4dffb32shfi", 0, 0, 0, 0, 0, 0, self.capo, b"", 0, self.length,
                           len(self.tuning))  # fmt: skip
        out += struct.pack(f"<{len(self.tuning)}h", *self.tuning)
        return out + struct.pack("<ffi", 0, 0, 0)

    def sealed(self, key: bytes) -> bytes:
        return sealed(self.body(), key)


def listed(records: Sequence[bytes]) -> bytes:
    return struct.pack("<i", len(records)) + b"".join(records)


def level_record(level: Mapping[str, Any]) -> bytes:
    out = struct.pack("<i", level.get("difficulty", 0))
    out += listed(
        [struct.pack("<4fiii", t, t + 1, 0, 0, f, w, 0) for t, f, w in level.get("anchors", ())]
    )
    out += listed([bytes(12)])
    for name in ("shapes", "arpeggios"):
        out += listed([struct.pack("<i4f", c, a, b, 0, 0) for c, a, b in level.get(name, ())])
    out += listed([note_record(**note) for note in level.get("notes", ())])
    return out + listed([bytes(4)]) * 3


def note_record(
    t: float, s: int = 0, f: int = 0, *, mask: int = 0, chord: int = -1, details: int = -1,
    sl: int = -1, slu: int = -1, pick: int = -1, sus: float = 0, bend: float = 0,
    bends: Sequence[tuple[float, float]] = (),
) -> bytes:  # fmt: skip
    out = struct.pack(
        "<IIIfbbbbiiii2hhhh7bhff",
        mask, 0, 0, t, s, f, 0, 0, chord, details, 0, 0, 0, 0, 0, 0, 0,
        sl, slu, -1, -1, pick, -1, -1, 0, sus, bend,
    )  # fmt: skip
    return out + listed([struct.pack("<ffhBB", time, step, 0, 0, 0) for time, step in bends])


def chord_note_record(
    masks: Sequence[int], slides: Sequence[int], bends: Mapping[int, Sequence[tuple[float, float]]]
) -> bytes:
    body = b""
    for string in range(6):
        points = bends.get(string, ())
        packed = b"".join(struct.pack("<ffhBB", t, v, 0, 0, 0) for t, v in points)
        body += packed.ljust(384, b"\0") + struct.pack("<i", len(points))
    return (
        struct.pack("<6I", *masks) + body + struct.pack("<6b6b6h", *slides, *([-1] * 6), *([0] * 6))
    )


def sealed(body: bytes, key: bytes) -> bytes:
    counter = bytes(range(100, 116))
    plain = struct.pack("<I", len(body)) + zlib.compress(body)
    hidden = _through(Cipher(AES(key), CTR(counter)).encryptor(), plain)
    return struct.pack("<II16s", 0x4A, 3, counter) + hidden + bytes(56)


def manifest(name: str, **attributes: Any) -> bytes:
    stated = {"ArrangementName": name, **attributes}
    return json.dumps({"Entries": {"ID": {"Attributes": stated}}}).encode()


def dds(side: int = 4) -> bytes:
    """A texture of uncompressed colours."""
    pixel_format = struct.pack("<II4sI4I", 32, 0x40, b"", 24, 0xFF0000, 0xFF00, 0xFF, 0)
    header = struct.pack("<7I44x", 124, 0x100F, side, side, side * 3, 0, 0) + pixel_format
    return b"DDS " + header + struct.pack("<5I", 0x1000, 0, 0, 0, 0) + b"\x10\x20\x30" * side * side


XML = (
    b"<song version='8'><title>XT</title><artistName>XA</artistName><arrangement>Lead</arrangement>"
    b"<songLength>77</songLength><tuning string0='-2'/>"
    b"<levels><level difficulty='0'><notes><note time='1.5' string='2' fret='3'/></notes>"
    b"</level></levels></song>"
)


class Psarcs:
    """What tests make archives with, below a library folder."""

    keys = KEYS
    xml = XML
    archive = staticmethod(archive)
    manifest = staticmethod(manifest)
    dds = staticmethod(dds)
    sng = Sng
    sealed = staticmethod(sealed)
    chord_note = staticmethod(chord_note_record)

    def __init__(self, root: Path) -> None:
        self.root = root

    def source(
        self, files: Mapping[str, bytes], name: str = "song_p.psarc", *, keys: Keys | None = None
    ) -> SongSource:
        return self.written(archive(files, keys=keys), name)

    def written(self, content: bytes, name: str = "song_p.psarc") -> SongSource:
        (self.root / name).write_bytes(content)
        return SongSource(self.root / name, self.root)

    @staticmethod
    def reader(keys: Keys = KEYS) -> PsarcReader:
        return PsarcReader(keys, SongTools())


@pytest.fixture
def psarcs(tmp_path: Path) -> Psarcs:
    root = tmp_path / "library"
    root.mkdir()
    return Psarcs(root)


@pytest.fixture(autouse=True)
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path without converters, whatever this machine has; tests may put some in."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder
