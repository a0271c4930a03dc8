"""Bodies, parameters and answers for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.songs.parameters import documented
from builtin_plugins.songs.tables import ORDERS
from plugin_sdk import JSON, MULTIPART

__all__ = [
    "ARTISTS_QUERY",
    "COVERS_QUERY",
    "EDIT",
    "FAVORITE",
    "HIGHWAY_QUERY",
    "LIBRARY",
    "LIBRARY_QUERY",
    "LOOP",
    "LOOPS",
    "LOOPS_QUERY",
    "LOOP_BODY",
    "SCAN",
    "SCORE",
    "SCORES_BODY",
    "SCORE_BODY",
    "STATS",
    "TOGGLE_BODY",
    "TRACK",
]

_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_BOOLEAN: Final = {"type": "boolean"}
_TIME: Final = {"type": "string", "format": "date-time"}
_OR_NULL: Final = {"type": ["integer", "null"]}


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _body(title: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"title": title, "type": "object", "required": required, "properties": properties}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


_ARRANGEMENTS: Final = _list(
    _object("Arrangement", {"index": _INTEGER, "name": _TEXT, "notes": _INTEGER})
)
_SHOWN: Final = {
    "trackId": _TEXT,
    "filename": _TEXT,
    "title": _TEXT,
    "artist": _TEXT,
    "album": _TEXT,
    "year": _OR_NULL,
    "duration": _NUMBER,
    "tuning": _list(_INTEGER),
    "tuningName": _TEXT,
    "tuningSortKey": _INTEGER,
    "arrangements": _ARRANGEMENTS,
    "stemCount": _INTEGER,
    "hasLyrics": _BOOLEAN,
    "hasCover": _BOOLEAN,
    "format": _TEXT,
}
_SONG: Final = _object(
    "Song",
    {
        **_SHOWN,
        "stemIds": _list(_TEXT),
        "hasEstd": _BOOLEAN,
        "favorite": _BOOLEAN,
        "mtime": _NUMBER,
        "importedAt": _TIME,
    },
)
LIBRARY: Final = _object(
    "LibraryPage",
    {"songs": _list(_SONG), "total": _INTEGER, "page": _INTEGER, "size": _INTEGER},
)
STATS: Final = _object(
    "LibraryStats",
    {
        "totalSongs": _INTEGER,
        "totalArtists": _INTEGER,
        "letters": {"type": "object", "additionalProperties": _INTEGER},
    },
)
TRACK: Final = _object(
    "Track",
    {
        "id": _INTEGER,
        **_SHOWN,
        "edited": _list(_TEXT),
        "createdAt": _TIME,
        "modifiedAt": _TIME,
    },
)
SCAN: Final = _object(
    "ScanStatus",
    {
        "status": {"enum": ["idle", "listing", "scanning", "complete", "error"]},
        "stage": {"enum": ["idle", "listing", "importing", "cleanup", "complete", "error"]},
        "current": _TEXT,
        "done": _INTEGER,
        "total": _INTEGER,
        "running": _BOOLEAN,
        "mode": {"enum": ["incremental", "full"]},
        "isFirstScan": _BOOLEAN,
        "added": _INTEGER,
        "changed": _INTEGER,
        "removed": _INTEGER,
        "unchanged": _INTEGER,
        "failed": _INTEGER,
        "failures": _list(_object("ScanFailure", {"file": _TEXT, "message": _TEXT})),
        "error": {"type": ["string", "null"]},
        "startedAt": {"type": ["string", "null"], "format": "date-time"},
        "finishedAt": {"type": ["string", "null"], "format": "date-time"},
    },
)
SCORE: Final = _object(
    "Score",
    {
        "trackId": _TEXT,
        "profileId": _INTEGER,
        "bestScore": _INTEGER,
        "playCount": _INTEGER,
        "lastPlayedAt": _TIME,
    },
)
LOOP: Final = _object(
    "Loop",
    {
        "id": _INTEGER,
        "name": _TEXT,
        "startTime": _NUMBER,
        "endTime": _NUMBER,
        "trackId": _TEXT,
        "profileId": _INTEGER,
        "createdAt": _TIME,
    },
)
LOOPS: Final = _list(LOOP)
FAVORITE: Final = _object("Favorite", {"trackId": _TEXT, "favorite": _BOOLEAN})

_NAMES: Final = {**_TEXT, "description": "Names divided by commas; may be repeated"}
LIBRARY_QUERY: Final = documented(
    q={**_TEXT, "maxLength": 200, "description": "Words in title, artist or album"},
    page={**_INTEGER, "minimum": 0, "default": 0},
    size={**_INTEGER, "minimum": 1, "maximum": 200, "default": 50},
    sort={"enum": list(ORDERS), "default": "artist"},
    format={**_TEXT, "description": "psarc, sloppak, loose, or what a plugin adds"},
    arrangements_has=_NAMES,
    arrangements_lacks=_NAMES,
    stems_has=_NAMES,
    stems_lacks=_NAMES,
    has_lyrics=_BOOLEAN,
    tunings=_NAMES,
    favorites=_BOOLEAN,
)
ARTISTS_QUERY: Final = documented(
    letter={**_TEXT, "description": "A to Z, or #"},
    q={**_TEXT, "maxLength": 200, "description": "Words in the artist"},
    favorites=_BOOLEAN,
)
COVERS_QUERY: Final = documented(count={**_INTEGER, "minimum": 1, "maximum": 100, "default": 30})
HIGHWAY_QUERY: Final = documented(arrangement={**_INTEGER, "minimum": 0})
LOOPS_QUERY: Final = documented(profileId={**_INTEGER, "minimum": 1})

_PROFILE_ID: Final = {**_INTEGER, "minimum": 1}
SCORE_BODY: Final = _body(
    "NewScore",
    ["score"],
    score={**_INTEGER, "minimum": 0, "maximum": 100},
    profileId=_PROFILE_ID,
)
SCORES_BODY: Final = _body(
    "ScoresOf", ["trackIds"], trackIds={**_list(_TEXT), "maxItems": 500}, profileId=_PROFILE_ID
)
LOOP_BODY: Final = _body(
    "NewLoop",
    ["start_time", "end_time"],
    name={**_TEXT, "maxLength": 128},
    start_time=_NUMBER,
    end_time=_NUMBER,
)
TOGGLE_BODY: Final = _body("Toggle", ["trackId"], trackId=_TEXT, profileId=_PROFILE_ID)

_EDITABLE: Final = {
    "title": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    "artist": {"type": ["string", "null"], "maxLength": 255},
    "album": {"type": ["string", "null"], "maxLength": 255},
    "year": {"type": ["integer", "string", "null"]},
}
EDIT: Final = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "title": "TrackEdit",
                    "type": "object",
                    "properties": {**_EDITABLE, "coverImage": {"type": "null"}},
                }
            },
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {
                        **_EDITABLE,
                        "coverImage": {"type": "string", "format": "binary"},
                    },
                }
            },
        },
    }
}
