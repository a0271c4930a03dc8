"""What routes take and answer, for the OpenAPI document. Requests are judged elsewhere, in the
contract's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "JOB",
    "JOBS",
    "LIBRARIES",
    "LIBRARY",
    "LIBRARY_BODY",
    "MOVIE",
    "MOVIES",
    "PROVIDER",
    "PROVIDERS",
    "PROVIDER_BODY",
    "SCAN_BODY",
    "SEARCH",
    "SETTINGS",
    "SETTINGS_BODY",
    "SHOW",
    "SHOWS",
    "answer",
    "body",
    "parameters",
]

Schema = dict[str, Any]


def _null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _object(**properties: Any) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(schema: Mapping[str, Any]) -> Schema:
    return {"type": "array", "items": dict(schema)}


_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_TIME: Final = {"type": "string", "format": "date-time", "examples": ["2026-11-21T19:25:48.439Z"]}
_NO_TEXT: Final = _null("string")

MEDIA: Final = {
    "title": "Media",
    **_object(
        id=_TEXT,
        title={"type": "string", "examples": ["The Matrix"]},
        type={"enum": ["MOVIE", "TV_SHOW", "MUSIC", "COMIC"]},
        description=_NO_TEXT,
        posterUrl=_NO_TEXT,
        plainPosterUrl=_NO_TEXT,
        backdropUrl=_NO_TEXT,
        logoUrl=_NO_TEXT,
        meshGradientColors={
            "type": "array",
            "items": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
            "examples": [["#f4cc3c", "#f7de81", "#1c3cbc", "#907308"]],
        },
        releaseDate=_NO_TEXT,
        rating=_null("number"),
        genres=_list(_TEXT),
        externalIds=_list(_object(source=_TEXT, externalId=_TEXT)),
        metadataProvider=_NO_TEXT,
        createdAt=_TIME,
        updatedAt=_TIME,
    ),
}
MOVIE: Final = {
    "title": "Movie",
    **_object(
        id=_TEXT,
        duration=_null("integer"),
        trailerUrl=_NO_TEXT,
        filePath=_TEXT,
        fileSize={"type": "string", "examples": ["2000000"]},
        fileModifiedAt=_TIME,
        mediaId=_TEXT,
        streamUrl=_TEXT,
        createdAt=_TIME,
        updatedAt=_TIME,
        media=MEDIA,
    ),
}
_SHOW: Final[Mapping[str, Any]] = {
    "id": _TEXT,
    "creator": _NO_TEXT,
    "network": _NO_TEXT,
    "mediaId": _TEXT,
    "createdAt": _TIME,
    "updatedAt": _TIME,
    "media": MEDIA,
}
_EPISODE: Final = {
    "title": "Episode",
    **_object(
        id=_TEXT,
        episodeNumber=_COUNT,
        seasonNumber=_COUNT,
        title={"type": "string", "examples": ["Pilot"]},
        overview=_NO_TEXT,
        airDate=_NO_TEXT,
        runtime=_null("integer"),
        stillUrl=_NO_TEXT,
        filePath=_TEXT,
        fileSize=_TEXT,
        fileModifiedAt=_TIME,
        seasonId=_TEXT,
        streamUrl=_TEXT,
    ),
}
_SEASON: Final = {
    "title": "Season",
    **_object(
        id=_TEXT,
        seasonNumber=_COUNT,
        name=_TEXT,
        overview=_NO_TEXT,
        airDate=_NO_TEXT,
        posterUrl=_NO_TEXT,
        tvShowId=_TEXT,
        episodes=_list(_EPISODE),
    ),
}
LISTED_SHOW: Final = {"title": "Show", **_object(**_SHOW)}
SHOW: Final = {"title": "ShowWithSeasons", **_object(**_SHOW, seasons=_list(_SEASON))}
MOVIES: Final = _list(MOVIE)
SHOWS: Final = _list(LISTED_SHOW)
SEARCH: Final = _object(movies=MOVIES, tvShows=SHOWS)

LIBRARY: Final = {
    "title": "Library",
    **_object(
        id=_TEXT,
        name={"type": "string", "examples": ["movies"]},
        slug=_TEXT,
        description=_NO_TEXT,
        posterUrl=_NO_TEXT,
        backdropUrl=_NO_TEXT,
        isLibrary=_FLAG,
        libraryPath=_NO_TEXT,
        libraryType=_NO_TEXT,
        createdAt=_TIME,
        updatedAt=_TIME,
        parentId=_NO_TEXT,
    ),
}
LIBRARIES: Final = _list(LIBRARY)
LIBRARY_BODY: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": ["string", "null"], "maxLength": 1000},
        "posterUrl": _NO_TEXT,
        "backdropUrl": _NO_TEXT,
        "libraryPath": _NO_TEXT,
        "libraryType": {"enum": ["MOVIE", "TV_SHOW", "MUSIC", "COMIC", None]},
        "isLibrary": _FLAG,
    },
    "examples": [{"name": "Films", "libraryPath": "/media/films", "libraryType": "MOVIE"}],
}

JOB: Final = {
    "title": "ScanJob",
    **_object(
        id=_TEXT,
        jobId=_TEXT,
        libraryId=_TEXT,
        library=_object(id=_TEXT, name=_TEXT, libraryPath=_NO_TEXT),
        scanPath=_TEXT,
        mediaType={"enum": ["MOVIE", "TV_SHOW"]},
        status={"enum": ["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "PAUSED"]},
        metadataStatus={"enum": ["NOT_STARTED", "PROCESSING", "COMPLETED", "FAILED"]},
        queuePosition=_COUNT,
        progress=_object(
            currentBatch=_COUNT,
            totalBatches=_COUNT,
            processedFolders=_COUNT,
            failedFolders=_COUNT,
            totalFolders=_COUNT,
            percentComplete={"type": "integer", "minimum": 0, "maximum": 100},
        ),
        scannedCount=_COUNT,
        itemsSaved=_COUNT,
        skippedCount=_COUNT,
        metadataSuccessCount=_COUNT,
        metadataFailedCount=_COUNT,
        failedFolderNames=_list(_TEXT),
        error=_NO_TEXT,
        timestamps=_object(startedAt=_NO_TEXT, lastBatchAt=_NO_TEXT, completedAt=_NO_TEXT),
        createdAt=_TIME,
        updatedAt=_TIME,
    ),
}
JOBS: Final = _object(
    jobs=_list(JOB),
    pagination=_object(total=_COUNT, limit=_COUNT, offset=_COUNT, hasMore=_FLAG),
)
SCAN_BODY: Final[Schema] = {
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {"type": "string", "minLength": 1, "maxLength": 5000},
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": ["string", "null"], "maxLength": 1000},
        "mediaType": {"type": "string"},
        "options": {"type": "object"},
    },
    "examples": [{"path": "/media/movies", "options": {"mediaType": "movie"}}],
}

SETTINGS: Final = {
    "title": "MediaSettings",
    "type": "object",
    "required": ["port", "enableRouteGuards", "firstRun", "scanSettings"],
    "properties": {
        "tmdbApiKey": {"const": "********"},
        "port": {"type": "integer", "minimum": 1000, "maximum": 65535},
        "enableRouteGuards": _FLAG,
        "firstRun": _FLAG,
        "scanSettings": {"type": "object"},
    },
}
SETTINGS_BODY: Final[Schema] = {
    "type": "object",
    "properties": {
        **SETTINGS["properties"],  # type: ignore[dict-item]
        "tmdbApiKey": {"type": "string", "maxLength": 256},
    },
    "examples": [{"scanSettings": {"mediaTypeDepth": {"movie": 2, "tv": 4}}}],
}
PROVIDER: Final = {
    "title": "MetadataProvider",
    **_object(
        id={"type": "string", "format": "uuid"},
        name={"type": "string", "examples": ["tmdb"]},
        enabled=_FLAG,
        priority=_COUNT,
        config={"type": "object"},
        available=_FLAG,
        configured=_FLAG,
        created_at=_TIME,
        updated_at=_TIME,
    ),
}
PROVIDERS: Final = _list(PROVIDER)
PROVIDER_BODY: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9._-]{1,64}$"},
        "enabled": _FLAG,
        "priority": {"type": "integer", "minimum": 0, "maximum": 1000000},
        "config": {"type": "object"},
    },
    "examples": [{"name": "tmdb", "config": {"apiKey": "…"}}],
}


def answer(data: Mapping[str, Any] | None = None) -> Schema:
    """The envelope of a success."""
    return {
        "type": "object",
        "required": ["success", "data"],
        "properties": {
            "success": {"const": True},
            "data": dict(data or {}),
            "message": {"type": "string"},
        },
    }


def body(schema: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The OpenAPI member for a body that the route reads by itself."""
    content = {"application/json": {"schema": dict(schema)}}
    return {"requestBody": {"required": required, "content": content}}


def parameters(*required: str, **optional: str) -> Schema:
    """Query parameters. They are texts as far as the host is concerned."""
    return {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in required},
            **{name: {"type": "string", "description": text} for name, text in optional.items()},
        },
    }
