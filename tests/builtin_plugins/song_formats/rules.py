"""What a pack must be by the published rules of the open format, version 1 (feedpak, sections 5 to
7; songs contract, 9.2 to 9.6), written down apart from the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema

__all__ = ["broken_rules"]

Schema = Mapping[str, Any]
TEXT: Final = {"type": "string"}
NAME: Final = {"type": "string", "minLength": 1}
NUMBER: Final = {"type": "number"}
WHOLE: Final = {"type": "integer"}
NATURAL: Final = {"type": "integer", "minimum": 0}
POSITIVE: Final = {"type": "integer", "minimum": 1}
TRUTH: Final = {"type": "boolean"}
POINTER: Final = {"type": "string", "minLength": 1}  # and what `_pointers` says
SEMVER: Final = {
    "type": "string",
    "pattern": r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}"
    r"(-(?!0\d)[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?(\+[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?$",
}
POINTERS: Final = [
    "lyrics",
    "vocal_pitch",
    "vocal_pitch_contour",
    "cover",
    "preview",
    "song_timeline",
    "drum_tab",
    "keys",
    "harmony",
    "rigs",
]


def record(needed: str, **fields: Schema) -> dict[str, Any]:
    """Other fields are allowed everywhere."""
    return {"type": "object", "required": needed.split(), "properties": fields}


def listed(items: Schema, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "items": items}


LANGUAGE: Final = {"type": "string", "pattern": "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$"}  # BCP 47
SOURCE: Final = {"enum": ["authored", "transcribed", "user"]}
PROVENANCE: Final = record("engine model version", engine=TEXT, model=TEXT, version=SEMVER)
SWITCH: Final = {
    "oneOf": [TRUTH, {"type": "string", "pattern": "^(?i:true|false|on|off|yes|no)$"}],
}
ENTRY: Final = {
    **record(
        "id",
        id=NAME,
        name=TEXT,
        file=POINTER,
        notation=POINTER,
        tuning=listed(WHOLE, 1),
        capo=NATURAL,
        centOffset=NUMBER,
        type=TEXT,
    ),
    "anyOf": [{"required": ["file"]}, {"required": ["notation"]}],
}
MANIFEST: Final = record(
    "title artist duration arrangements stems",
    feedpak_version=SEMVER,
    title=TEXT,
    artist=TEXT,
    album=TEXT,
    album_artist=TEXT,
    year=WHOLE,
    track=POSITIVE,
    disc=POSITIVE,
    genres=listed(TEXT),
    language=LANGUAGE,
    duration={"type": "number", "minimum": 0},
    authors=listed(record("name", name=NAME, role=TEXT, email=TEXT, url=TEXT)),
    arrangements=listed(ENTRY, 1),
    stems=listed(
        record("id file", id=NAME, file=POINTER, codec=NAME, language=LANGUAGE, default=SWITCH), 1
    ),
    stem_separation=PROVENANCE,
    lyric_transcription=PROVENANCE,
    pitch_extraction=PROVENANCE,
    lyrics_source=SOURCE,
    lyric_tracks=listed(
        record(
            "id file language kind",
            id=NAME,
            file=POINTER,
            language=LANGUAGE,
            kind={"enum": ["original", "transliteration", "translation"]},
            lyrics_source=SOURCE,
            lyric_transcription=PROVENANCE,
            stem=NAME,
            name=TEXT,
        )
    ),
    **dict.fromkeys(POINTERS, POINTER),
)
NOTE: Final = record(
    "t s f", t=NUMBER, s=NATURAL, f=WHOLE, sus=NUMBER, sl=WHOLE, slu=WHOLE, bn=NUMBER
)
CHORD_NOTE: Final = record("s f", s=NATURAL, f=WHOLE, sus=NUMBER)
BEATS: Final = listed(record("time measure", time=NUMBER, measure=WHOLE))
SECTIONS: Final = listed(record("name time", name=TEXT, number=WHOLE, time=NUMBER))
LEVEL: Final = {
    "notes": listed(NOTE),
    "chords": listed(record("t", t=NUMBER, id=WHOLE, hd=TRUTH, notes=listed(CHORD_NOTE))),
    "anchors": listed(record("time fret", time=NUMBER, fret=WHOLE, width=WHOLE)),
    "handshapes": listed(record("", chord_id=WHOLE, start_time=NUMBER, end_time=NUMBER, arp=TRUTH)),
}
ARRANGEMENT: Final = record(
    "",
    name=TEXT,
    tuning=listed(WHOLE),
    capo=WHOLE,
    centOffset=NUMBER,
    templates=listed(
        record(
            "", name=TEXT, displayName=TEXT, arp=TRUTH, fingers=listed(WHOLE), frets=listed(WHOLE)
        )
    ),
    phrases=listed(  # without any the key is left out
        record(
            "start_time end_time",
            start_time=NUMBER,
            end_time=NUMBER,
            max_difficulty=WHOLE,
            levels=listed(record("", difficulty=WHOLE, **LEVEL)),
        ),
        1,
    ),
    tones={"type": "object"},
    beats=BEATS,
    sections=SECTIONS,
    **LEVEL,
)
LYRICS: Final = listed(record("t d w", t=NUMBER, d=NUMBER, w=TEXT))
TIMELINE: Final = record(
    "version",
    version=POSITIVE,
    tempos=listed(record("time bpm", time=NUMBER, bpm={"type": "number", "exclusiveMinimum": 0})),
    time_signatures=listed(
        record("time ts", time=NUMBER, ts={**listed(POSITIVE, 2), "maxItems": 2})
    ),
    beats=BEATS,
    sections=SECTIONS,
)
SCHEMAS: Final[Mapping[str, Schema]] = {
    "arrangements[].file": ARRANGEMENT,
    "lyrics": LYRICS,
    "lyric_tracks[].file": LYRICS,
    "song_timeline": TIMELINE,
}


def broken_rules(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str]:
    """One sentence for each; none for a pack of the format."""
    found = list(_against(MANIFEST, manifest, "manifest"))
    for name, pointer in _pointers(manifest):
        if re.search(r"^/|//|:|\\|(^|/)\.\.(/|$)", pointer):
            found.append(f"{name}: {pointer!r} is no path inside the pack")
        elif pointer not in files:
            found.append(f"{name}: there is no file {pointer!r}")
        else:
            if (schema := SCHEMAS.get(re.sub(r"\[\d+\]", "[]", name))) is not None:
                try:
                    found += _against(schema, _strict(files[pointer]), pointer)
                except ValueError as error:
                    found.append(f"{pointer}: {error}")
    return found


def _pointers(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in POINTERS:
        if name in manifest:
            yield name, manifest[name]
    for group in ("arrangements", "stems", "lyric_tracks"):
        for index, entry in enumerate(manifest.get(group, [])):
            for key in ("file", "notation"):
                if key in entry:
                    yield f"{group}[{index}].{key}", entry[key]


def _against(schema: Schema, value: Any, where: str) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        yield f"{where}: {error.json_path}: {error.message}"


def _strict(content: bytes) -> Any:
    """Raises ValueError."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(content.decode(), parse_constant=refuse)
