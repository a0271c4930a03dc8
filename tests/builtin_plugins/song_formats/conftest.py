"""Packs by the rules of the open format, written from the values that a reader should give back."""

from __future__ import annotations

import io
import json
import runpy
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin_sdk import SongChart, SongSource

RULES = runpy.run_path(str(Path(__file__).parent / "rules.py"))
ON_DISK = {"sl2": "slu", "harm": "hm", "pharm": "hp", "mute": "pm", "vib": "vb", "tap": "tp"}


class _Dumper(yaml.SafeDumper):
    """Every text in quotes, so that both YAML 1.1 and 1.2 read a text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@dataclass
class Pack:
    """A pack that is not written yet. ``files``: contents by name."""

    manifest: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    manifest_name: str = "manifest.yaml"
    manifest_bytes: bytes | None = None

    def contents(self) -> dict[str, bytes]:
        text = self.manifest_bytes
        if text is None:
            text = yaml.dump(self.manifest, Dumper=_Dumper, allow_unicode=True).encode()
        return {self.manifest_name: text, **self.files}

    def write(self, path: Path, *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
        """As an archive."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in self.contents().items():
                archive.writestr(name, content)
        return path

    def write_folder(self, path: Path) -> Path:
        for name, content in self.contents().items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return path

    def broken_rules(self) -> list[str]:
        """None of a pack by the rules of the format."""
        if self.manifest_bytes is not None:
            return ["the manifest is no text of ours"]
        found: list[str] = RULES["broken_rules"](self.manifest, self.files)
        return found

    def check_rules(self) -> None:
        """Fails unless it is a pack by the rules of the format."""
        assert not self.broken_rules()


def note_on_disk(note: Mapping[str, Any]) -> dict[str, Any]:
    return {ON_DISK.get(key, key): value for key, value in note.items()}


def chord_on_disk(chord: Mapping[str, Any]) -> dict[str, Any]:
    return {**chord, "notes": [note_on_disk(note) for note in chord["notes"]]}


def shape_on_disk(shape: Mapping[str, Any]) -> dict[str, Any]:
    names = {"chordId": "chord_id", "startTime": "start_time", "endTime": "end_time"}
    return {names.get(key, "arp"): value for key, value in shape.items()}


def level_on_disk(level: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "difficulty": level["difficulty"],
        "notes": [note_on_disk(each) for each in level["notes"]],
        "chords": [chord_on_disk(each) for each in level["chords"]],
        "anchors": level["anchors"],
        "handshapes": [shape_on_disk(each) for each in level["handShapes"]],
    }


def phrase_on_disk(phrase: Mapping[str, Any]) -> dict[str, Any]:
    names = {"startTime": "start_time", "endTime": "end_time", "maxDifficulty": "max_difficulty"}
    found = {names.get(key, key): value for key, value in phrase.items() if key != "levels"}
    if "levels" in phrase:
        found["levels"] = [level_on_disk(each) for each in phrase["levels"]]
    return found


def chart_on_disk(name: str, chart: SongChart) -> dict[str, Any]:
    """An arrangement's JSON (songs contract, 9.5)."""
    document: dict[str, Any] = {
        "name": name,
        "tuning": list(chart.tuning),
        "capo": chart.capo,
        "centOffset": chart.cent_offset,
        "notes": [note_on_disk(each) for each in chart.notes],
        "chords": [chord_on_disk(each) for each in chart.chords],
        "anchors": list(chart.anchors),
        "handshapes": [shape_on_disk(each) for each in chart.hand_shapes],
        "templates": [
            {("arp" if key == "arpeggio" else key): value for key, value in each.items()}
            for each in chart.chord_templates
        ],
        "beats": list(chart.beats),
        "sections": list(chart.sections),
    }
    if chart.phrases is not None:
        document["phrases"] = [phrase_on_disk(each) for each in chart.phrases]
    if chart.tone_base or chart.tone_changes:
        changes = [{"t": each["time"], "name": each["name"]} for each in chart.tone_changes or ()]
        document["tones"] = {"base": chart.tone_base or "", "changes": changes, "definitions": []}
    return document


def pack_of(
    charts: Mapping[str, SongChart] | None = None,
    *,
    stems: Mapping[str, bytes] | None = None,
    lyrics: Sequence[Mapping[str, Any]] | None = None,
    cover: bytes | None = None,
    **manifest: Any,
) -> Pack:
    """A whole pack; keyword arguments go into the manifest, None takes a key away."""
    charts = {"Lead": SongChart(notes=[{"t": 1.0, "s": 0, "f": 3}])} if charts is None else charts
    stems = {"full.ogg": b"OggS" + bytes(500)} if stems is None else stems
    files = {f"stems/{name}": content for name, content in stems.items()}
    document: dict[str, Any] = {
        "feedpak_version": "1.13.0",
        "title": "Title",
        "artist": "Artist",
        "duration": 120.5,
        "arrangements": [],
        "stems": [{"id": name.rpartition(".")[0], "file": f"stems/{name}"} for name in stems],
    }
    for number, (name, chart) in enumerate(charts.items()):
        file = f"arrangements/{number}.json"
        document["arrangements"].append({"id": f"a{number}", "name": name, "file": file})
        files[file] = json.dumps(chart_on_disk(name, chart)).encode()
    if lyrics is not None:
        document["lyrics"] = "lyrics.json"
        files["lyrics.json"] = json.dumps(list(lyrics)).encode()
    if cover is not None:
        document["cover"] = "art/cover.png"
        files["art/cover.png"] = cover
    document.update(manifest)
    return Pack({key: value for key, value in document.items() if value is not None}, files)


def png(width: int = 2, height: int = 2) -> bytes:
    """A whole picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = zlib.compress((b"\0" + bytes(3 * width)) * height)
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


class Packs:
    """What tests make packs with, below a library folder."""

    of = staticmethod(pack_of)
    png = staticmethod(png)

    def __init__(self, root: Path) -> None:
        self.root = root

    def source(
        self, pack: Pack, name: str = "A/one.sloppak", *, broken: bool = False, **options: Any
    ) -> SongSource:
        """``broken``: it is no pack by the rules of the format; all others are judged by them."""
        self._judge(pack, broken)
        return SongSource(pack.write(self.root / name, **options), self.root)

    def folder(
        self, pack: Pack, name: str = "A/one.feedpak", *, broken: bool = False
    ) -> SongSource:
        """As `source`, for a pack that is a folder."""
        self._judge(pack, broken)
        return SongSource(pack.write_folder(self.root / name), self.root)

    @staticmethod
    def _judge(pack: Pack, broken: bool) -> None:
        found = pack.broken_rules()
        assert bool(found) is broken, found or "it is a pack by the rules"

    def files(self, name: str, contents: Mapping[str, bytes | str]) -> SongSource:
        """A plain folder."""
        for file, content in contents.items():
            path = self.root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return SongSource(self.root / name, self.root)

    @staticmethod
    def zipped(contents: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", compression) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        return target.getvalue()


@pytest.fixture
def packs(tmp_path: Path) -> Packs:
    """Writes below a library folder of its own."""
    root = tmp_path / "library"
    root.mkdir()
    return Packs(root)
