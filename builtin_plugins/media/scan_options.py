"""What a scan is told: settings and options checked, and what they mean for files and folders
(media contract, 5.6, 5.8, 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from builtin_plugins.media.fields import Fields
from builtin_plugins.media.patterns import Pattern

__all__ = [
    "DEFAULTS",
    "EXTENSIONS",
    "Rules",
    "check_scan_settings",
    "depth_of",
    "media_kind",
]

DEFAULTS: Final[Mapping[str, Any]] = {
    "rescan": False,
    "followSymlinks": True,
    "mediaTypeDepth": {"movie": 2, "tv": 4},
}
EXTENSIONS: Final = frozenset(
    ("mp4", "mkv", "avi", "mov", "wmv", "flv", "webm", "m4v", "mpg", "mpeg", "m2ts", "ts")
)
_KINDS: Final = {
    "movie": "movie",
    "movies": "movie",
    "tv": "tv",
    "tvshow": "tv",
    "tv-show": "tv",
    "tv show": "tv",
}
_NEVER: Final = frozenset(
    name.casefold()
    for name in (
        "$RECYCLE.BIN",
        "System Volume Information",
        "lost+found",
        "node_modules",
        "#recycle",
        "Extras",
        "Behind The Scenes",
        "Deleted Scenes",
        "Featurettes",
        "Interviews",
        "Scenes",
        "Shorts",
        "Trailers",
        "Other",
    )
)
_NO_FILMS: Final = frozenset({"sample", "trailer"})
_NO_FILM_BEGINS: Final = ("sample-", "sample.", "sample_")
_NO_FILM_ENDS: Final = (
    *("-sample", ".sample", "_sample", "-trailer", ".trailer", "_trailer"),
    *("-behindthescenes", "-deleted", "-featurette", "-interview", "-scene", "-short", "-other"),
)
_DIRECTORIES: Final = "directoryPattern"
_PATTERNS: Final = ("filenamePattern", "includePattern", "excludePattern", _DIRECTORIES)


def media_kind(text: str) -> str | None:
    """``movie`` or ``tv``, from any of the words for them."""
    return _KINDS.get(text.casefold())


def check_scan_settings(given: Any, path: str, *, any_kind: bool = False) -> dict[str, Any]:
    """The known keys of ``scanSettings`` or of a scan's ``options``; raises Invalid.

    ``any_kind`` takes all words for the media type, as a scan does."""
    fields = Fields(given, path)
    checked: dict[str, Any] = {
        "mediaType": _kind(fields, any_kind=any_kind),
        "maxDepth": fields.integer("maxDepth", 0, 10),
        "mediaTypeDepth": _depths(fields),
        "fileExtensions": fields.texts("fileExtensions", 20, 1, 10),
        "includeDirectories": fields.texts("includeDirectories", 50, 1, 255),
        "excludeDirectories": fields.texts("excludeDirectories", 50, 1, 255),
        "minFileSize": fields.integer("minFileSize", 0, 2**63 - 1),
        "maxFileSize": fields.integer("maxFileSize", 0, 2**63 - 1),
        **{name: fields.pattern(name) for name in _PATTERNS},
        **{name: fields.boolean(name) for name in ("rescan", "followSymlinks", "batchScan")},
    }
    return {name: value for name, value in checked.items() if value is not None}


def _kind(fields: Fields, *, any_kind: bool) -> str | None:
    text = fields.text("mediaType", 1, 20)
    if text is None:
        return None
    kind = media_kind(text) if any_kind else text if text in ("movie", "tv") else None
    if kind is None:
        raise fields.refuse("mediaType", "must be movie or tv")
    return kind


def _depths(fields: Fields) -> dict[str, int] | None:
    given = fields.value("mediaTypeDepth")
    if given is None:
        return None
    inner = Fields(given, fields.path("mediaTypeDepth"))
    depths = {name: inner.integer(name, 0, 10) for name in ("movie", "tv")}
    return {name: depth for name, depth in depths.items() if depth is not None}


def depth_of(options: Mapping[str, Any], kind: str) -> int:
    """How many directories below a batch folder are visited."""
    depth = options.get("mediaTypeDepth", {}).get(kind, options.get("maxDepth"))
    return int(DEFAULTS["mediaTypeDepth"][kind] if depth is None else depth)


@dataclass(frozen=True)
class Rules:
    """Effective options, ready to be asked about each name."""

    depth: int
    follow: bool
    extensions: frozenset[str]
    filename: Pattern | None
    include: Pattern | None
    exclude: Pattern | None
    directory: Pattern | None
    only: frozenset[str]
    never: frozenset[str]
    smallest: int
    largest: int | None

    @classmethod
    def of(cls, options: Mapping[str, Any], kind: str) -> Rules:
        def pattern(name: str) -> Pattern | None:
            text = options.get(name)
            return Pattern(name, text, any_case=name == _DIRECTORIES) if text else None

        own = (each.strip().lstrip(".").lower() for each in options.get("fileExtensions", ()))
        return cls(
            depth=depth_of(options, kind),
            follow=options.get("followSymlinks", True),
            extensions=frozenset(each for each in own if each) or EXTENSIONS,
            filename=pattern("filenamePattern"),
            include=pattern("includePattern"),
            exclude=pattern("excludePattern"),
            directory=pattern(_DIRECTORIES),
            only=frozenset(each.casefold() for each in options.get("includeDirectories", ())),
            never=_NEVER
            | frozenset(each.casefold() for each in options.get("excludeDirectories", ())),
            smallest=options.get("minFileSize", 0),
            largest=options.get("maxFileSize"),
        )

    def enters(self, name: str) -> bool:
        """Whether a directory of this name may be entered."""
        if name[0] in ".@" or name.casefold() in self.never or "@eadir" in name.casefold():
            return False
        return self.directory is None or self.directory.found_in(name)

    def begins_with(self, name: str) -> bool:
        """Whether an immediate sub-folder of the root is wanted."""
        return not self.only or name.casefold() in self.only

    def is_film(self, name: str) -> bool:
        """Whether a file of this name is a film or an episode at all."""
        stem, dot, extension = name.rpartition(".")
        if not dot or extension.lower() not in self.extensions:
            return False
        lower = stem.lower()
        if (
            name[0] == "."
            or name.startswith("~$")
            or lower in _NO_FILMS
            or lower.startswith(_NO_FILM_BEGINS)
            or lower.endswith(_NO_FILM_ENDS)
        ):
            return False
        return self.filename is None or self.filename.found_in(name)

    @property
    def picky(self) -> bool:
        """Whether there is a path that it does not want."""
        return self.include is not None or self.exclude is not None

    def wants(self, relative: str) -> bool:
        """Whether a path relative to the scan root is wanted."""
        if self.include is not None and not self.include.found_in(relative):
            return False
        return self.exclude is None or not self.exclude.found_in(relative)

    def fits(self, size: int) -> bool:
        return size >= self.smallest and (self.largest is None or size <= self.largest)
