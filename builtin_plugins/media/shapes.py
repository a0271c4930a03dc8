"""What routes take and answer, for the OpenAPI document. Requests are judged elsewhere, in the
contract's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "ACCEPTED",
    "ALL_STATS",
    "CHANGED_LIBRARY",
    "CLEANED",
    "CLEANUP_BODY",
    "DAYS",
    "DELETED_LIBRARY",
    "JOB",
    "JOBS",
    "JOB_FILTERS",
    "LIBRARIES",
    "LIBRARY",
    "LIBRARY_BODY",
    "LIBRARY_FILTERS",
    "LIBRARY_STATS",
    "MOVIE",
    "MOVIES",
    "NAMED_LIBRARY",
    "PROVIDER",
    "PROVIDERS",
    "PROVIDER_BODY",
    "RESUMED",
    "SCAN_BODY",
    "SEARCH",
    "SEARCHED",
    "SETTINGS",
    "SETTINGS_BODY",
    "SHOW",
    "SHOWS",
    "answer",
    "body",
]

Schema = dict[str, Any]


def _null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _object(**properties: Any) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(schema: Mapping[str, Any]) -> Schema:
    return {"type": "array", "items": dict(schema)}


def _asked(name: str, schema: Mapping[str, Any], *, required: bool = False) -> Schema:
    """A query parameter as OpenAPI has it. The host does not judge these: the contract's own
    words are said by the routes."""
    return {"name": name, "in": "query", "required": required, "schema": dict(schema)}


_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_TIME: Final = {"type": "string", "format": "date-time", "examples": ["2026-11-21T19:25:48.439Z"]}
_NO_TEXT: Final = _null("string")
_TYPE: Final = {"enum": ["MOVIE", "TV_SHOW", "MUSIC", "COMIC"]}

MEDIA: Final = {
    "title": "Media",
    **_object(
        id=_TEXT,
        title={"type": "string", "examples": ["The Matrix"]},
        type=_TYPE,
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
SEARCHED: Final = (
    _asked(
        "query",
        {"type": "string", "minLength": 1, "maxLength": 100, "examples": ["matrix"]},
        required=True,
    ),
)

_LIBRARY: Final[Mapping[str, Any]] = {
    "id": _TEXT,
    "name": {"type": "string", "examples": ["movies"]},
    "slug": {"type": "string", "examples": ["movies"]},
    "description": _NO_TEXT,
    "posterUrl": _NO_TEXT,
    "backdropUrl": _NO_TEXT,
    "isLibrary": _FLAG,
    "libraryPath": {"type": ["string", "null"], "examples": ["/media/movies"]},
    "libraryType": {"type": ["string", "null"], "enum": [*_TYPE["enum"], None]},
    "createdAt": _TIME,
    "updatedAt": _TIME,
    "parentId": _NO_TEXT,
}
LIBRARY: Final = {"title": "Library", **_object(**_LIBRARY, mediaCount=_COUNT)}
LIBRARIES: Final = _list(LIBRARY)
LIBRARY_FILTERS: Final = (
    _asked("isLibrary", {"type": "string", "examples": ["true"]}),
    _asked("libraryType", _TYPE),
)
CHANGED_LIBRARY: Final = _object(
    library={"title": "ChangedLibrary", **_object(**_LIBRARY)}, message=_TEXT
)
DELETED_LIBRARY: Final = _object(
    libraryId=_TEXT, libraryName=_TEXT, mediaDeleted=_COUNT, message=_TEXT
)
_COUNTS: Final[Mapping[str, Any]] = {
    "totalMedia": _COUNT,
    "mediaByType": _object(MOVIE=_COUNT, TV_SHOW=_COUNT, MUSIC=_COUNT, COMIC=_COUNT),
    "totalSeasons": _COUNT,
    "totalEpisodes": _COUNT,
    "totalSize": {"type": "string", "examples": ["2000000"]},
}
ALL_STATS: Final = {"title": "Stats", **_object(totalLibraries=_COUNT, **_COUNTS)}
LIBRARY_STATS: Final = {
    "title": "LibraryStats",
    **_object(libraryId=_TEXT, libraryName=_TEXT, **_COUNTS),
}
LIBRARY_BODY: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": {"type": ["string", "null"], "maxLength": 1000},
        "posterUrl": _NO_TEXT,
        "backdropUrl": _NO_TEXT,
        "libraryPath": _NO_TEXT,
        "libraryType": _LIBRARY["libraryType"],
        "isLibrary": _FLAG,
    },
    "examples": [{"name": "Films", "libraryPath": "/media/films", "libraryType": "MOVIE"}],
}

NAMED_LIBRARY: Final[Schema] = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "minLength": 1}},
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
JOB_FILTERS: Final = (
    _asked("status", {"enum": ["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "PAUSED"]}),
    _asked("libraryId", _TEXT),
    _asked("limit", {"type": "integer", "minimum": 0, "maximum": 100, "default": 50}),
    _asked("offset", {"type": "integer", "minimum": 0, "default": 0}),
)
_PLACE: Final = {**_COUNT, "description": "Jobs ahead; only while the scan is queued."}
ACCEPTED: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": [
        *("libraryId", "libraryName", "path", "mediaType", "maxDepth"),
        *("jobId", "scanJobId", "queued"),
    ],
    "properties": {
        "libraryId": _TEXT,
        "libraryName": {"type": "string", "examples": ["movies"]},
        "path": {"type": "string", "examples": ["/media/movies"]},
        "mediaType": {"enum": ["movie", "tv"]},
        "maxDepth": {"type": "integer", "examples": [2]},
        "jobId": _TEXT,
        "scanJobId": _TEXT,
        "queued": _FLAG,
        "queuePosition": _PLACE,
    },
}
RESUMED: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["scanJobId", "jobId", "status", "queued", "message"],
    "properties": {
        "scanJobId": _TEXT,
        "jobId": _TEXT,
        "status": {"enum": ["PENDING"]},
        "queued": _FLAG,
        "queuePosition": _PLACE,
        "message": _TEXT,
    },
}
CLEANED: Final = _object(cleanedCount=_COUNT, staleCount=_COUNT, deletedCount=_COUNT, message=_TEXT)
DAYS: Final = (_asked("days", {"type": "integer", "minimum": 1, "maximum": 3650}),)
CLEANUP_BODY: Final[Schema] = {
    "type": "object",
    "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 3650}},
    "examples": [{"days": 30}],
}
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
