"""Metadata about films, shows and music: questions, answers, and what a provider is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Protocol

from plugin_sdk.context import Clock, Logger

__all__ = [
    "EpisodeMetadata",
    "MediaMetadata",
    "MediaQuery",
    "MetadataProvider",
    "Person",
    "ProviderContext",
    "SeasonMetadata",
]


@dataclass(frozen=True, slots=True)
class MediaQuery:
    """What is asked. ``kind`` is ``movie`` or ``tv``; other kinds belong to other plugins.
    ``ids`` maps a source to its id: ``{"TMDB": "603", "IMDB": "tt0133093"}``."""

    kind: str
    title: str
    year: int | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    language: str = "en-US"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """``role`` is ``ACTOR``, ``DIRECTOR``, ``WRITER`` or ``PRODUCER``."""

    name: str
    role: str
    character: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class MediaMetadata:
    """What is answered. ``ids`` holds at least the provider's own id; ``rating`` is 0 to 10."""

    ids: Mapping[str, str]
    title: str
    overview: str | None = None
    release_date: date | None = None
    rating: float | None = None
    runtime_minutes: int | None = None
    poster_url: str | None = None
    plain_poster_url: str | None = None
    backdrop_url: str | None = None
    logo_url: str | None = None
    trailer_url: str | None = None
    genres: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    creator: str | None = None
    network: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodeMetadata:
    """One episode of a season; ``still_url`` is a picture from it."""

    episode_number: int
    name: str | None = None
    overview: str | None = None
    air_date: date | None = None
    runtime_minutes: int | None = None
    still_url: str | None = None


@dataclass(frozen=True, slots=True)
class SeasonMetadata:
    """What `MetadataProvider.fetch_season` answers."""

    season_number: int
    name: str | None = None
    overview: str | None = None
    air_date: date | None = None
    poster_url: str | None = None
    episodes: tuple[EpisodeMetadata, ...] = ()


class ProviderContext(Protocol):
    """What a provider instance gets from its owner."""

    @property
    def clock(self) -> Clock: ...
    @property
    def log(self) -> Logger: ...
    @property
    def stopping(self) -> bool:
        """True once the host or the job that asks is to stop; honour it between requests."""
        ...

    def once(self, key: str, ask: Callable[[], Any]) -> Any:
        """What ``ask`` returns, a JSON value. It is durable when this returns: a job that was
        stopped or killed gets it from there and does not ask again.

        For a request whose answer only leads to the next one (a search before the details); what
        `MetadataProvider.fetch` and ``fetch_season`` return is kept anyhow. ``key`` says what is
        asked, without secrets. What ``ask`` raises is raised, and not kept."""
        ...


class MetadataProvider(ABC):
    """The provider type ``metadata``: a chain, asked in order until one answers.

    The registered implementation is the class; whoever uses it makes instances with a config of
    the shape ``config_schema`` (JSON Schema; ``"writeOnly": true`` marks secrets). ``source`` is
    one of TMDB IMDB TVDB ANIDB MYANIMELIST MUSICBRAINZ SPOTIFY COMICVINE OTHER. Failures are
    raised as ProviderError; every other exception counts as one.
    ``plugin_sdk.testing.MetadataSuite`` says in tests what each method promises.
    """

    name: ClassVar[str]
    display_name: ClassVar[str]
    source: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    config_schema: ClassVar[Mapping[str, Any]] = {"type": "object", "properties": {}}
    local: ClassVar[bool] = False
    """True for one that asks no server: asking it again costs nothing, so that its answers need
    not be kept for a job that is killed."""

    def __init__(self, config: Mapping[str, Any], ctx: ProviderContext) -> None:
        self.config = config
        self.ctx = ctx

    def is_configured(self) -> bool:
        """Whether the config holds all that is needed to ask."""
        return True

    @abstractmethod
    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        """None when nothing was found."""

    def fetch_season(self, ids: Mapping[str, str], number: int) -> SeasonMetadata | None:
        """A season of the show with these ids; None when nothing was found."""
        return None

    def close(self) -> None:
        """Gives back what the instance holds; called when whoever made it is done with it."""
        return
