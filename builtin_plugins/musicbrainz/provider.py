"""The metadata provider: which question is asked for which query."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from builtin_plugins.musicbrainz import answers
from builtin_plugins.musicbrainz.cache import Cache
from builtin_plugins.musicbrainz.client import Client, Service
from builtin_plugins.musicbrainz.limiter import Limiter, Pause
from plugin_sdk import (
    Context,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    ProviderContext,
    ProviderError,
)

__all__ = ["MusicBrainzProvider", "provider_class"]

_MBID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_MAX_WORD: Final = 200
_RESULTS: Final = "10"
_THEIRS: Final = "musicbrainz.org"
_NAMELESS: Final = (
    f"{_THEIRS} wants to know whom it can reach: set contact in the settings of MusicBrainz."
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """``field`` is what a search calls the name, ``listed`` the key of its results."""

    entity: str
    field: str
    listed: str
    includes: str
    read: Callable[[answers.Entity], MediaMetadata | None]


_KINDS: Final[Mapping[str, _Kind]] = {
    "song": _Kind(
        "recording",
        "recording",
        "recordings",
        "artist-credits+releases+genres+ratings",
        answers.song,
    ),
    "album": _Kind(
        "release-group",
        "releasegroup",
        "release-groups",
        "artist-credits+genres+ratings",
        answers.album,
    ),
    "artist": _Kind("artist", "artist", "artists", "genres+ratings", answers.artist),
}


class MusicBrainzProvider(MetadataProvider):
    """Knows the kinds ``song``, ``album`` and ``artist``. A query may say ``artist`` and ``album``
    in ``extra``; with an id under ``MUSICBRAINZ`` nothing is searched.

    Config, all optional: ``baseUrl`` and ``contact`` (else those of the plugin's settings),
    ``rateLimitRps``, ``retries``, ``timeoutSeconds``.
    """

    name = "musicbrainz"
    display_name = "MusicBrainz"
    source = answers.SOURCE
    kinds = frozenset(_KINDS)
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "baseUrl": {"type": "string", "pattern": "^https?://", "maxLength": 300},
            "contact": {"type": "string", "pattern": "^[!-'*-~ ]*$", "maxLength": 200},
            "rateLimitRps": {"type": "number", "minimum": 0.1, "maximum": 100, "default": 1},
            "retries": {"type": "integer", "minimum": 0, "maximum": 5, "default": 3},
            "timeoutSeconds": {"type": "number", "minimum": 1, "maximum": 60, "default": 10},
        },
    }

    def __init__(self, config: Mapping[str, Any], ctx: ProviderContext) -> None:
        super().__init__(config, ctx)
        context = self._context()
        cache = Cache(context.db, ctx.clock, lambda: context.settings["cacheDays"])
        limiter = Limiter(context.db, ctx.clock, lambda: ctx.stopping, self._pause())
        contact: str = config.get("contact") or context.settings["contact"]
        service = self._service(context, contact)
        self._client = Client(context.http, cache, limiter, service)
        self._nameless = not contact and _is_theirs(service.base_url)

    @classmethod
    @abstractmethod
    def _context(cls) -> Context:
        """The plugin's own context."""

    @classmethod
    def _pause(cls) -> Pause | None:
        return None

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        kind = _KINDS.get(query.kind)
        if kind is None:
            return None
        if self._nameless:
            raise ProviderError(_NAMELESS, permanent=True)
        identity = query.ids.get(self.source, "")
        if _MBID.fullmatch(identity):
            found = self._client.get(f"{kind.entity}/{identity.lower()}", {"inc": kind.includes})
            return kind.read(found) if isinstance(found, dict) else None
        return self._searched(kind, query)

    def _searched(self, kind: _Kind, query: MediaQuery) -> MediaMetadata | None:
        title, credit = query.title.strip(), _extra(query, "artist")
        if not answers.folded(title):
            return None
        words = {kind.field: title}
        if kind.entity != "artist" and credit:
            words["artist"] = credit
        if kind.entity == "recording" and (album := _extra(query, "album")):
            words["release"] = album
        lucene = " AND ".join(f"{name}:{_phrase(word)}" for name, word in words.items())
        found = self._client.get(kind.entity, {"query": lucene, "limit": _RESULTS})
        listed = found.get(kind.listed) if isinstance(found, dict) else None
        credited = credit if kind.entity != "artist" else ""
        chosen = answers.best(listed, title, credited, query.year)
        return None if chosen is None else kind.read(chosen)

    def _service(self, context: Context, contact: str) -> Service:
        config, settings = self.config, context.settings
        agent = f"Stagebox/{context.manifest.version}"
        return Service(
            base_url=config.get("baseUrl") or settings["baseUrl"],
            user_agent=f"{agent} ( {contact} )" if contact else agent,
            per_second=config.get("rateLimitRps", 1.0),
            retries=config.get("retries", 3),
            timeout=config.get("timeoutSeconds", 10.0),
        )


def provider_class(context: Context, pause: Pause | None = None) -> type[MusicBrainzProvider]:
    """The class that is registered: it knows the plugin's context, so that whoever makes an
    instance of it need not."""

    class Bound(MusicBrainzProvider):
        @classmethod
        def _context(cls) -> Context:
            return context

        @classmethod
        def _pause(cls) -> Pause | None:
            return pause

    return Bound


def _is_theirs(base_url: str) -> bool:
    """Mirrors are asked without a contact."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    return host == _THEIRS or host.endswith("." + _THEIRS)


def _extra(query: MediaQuery, key: str) -> str:
    value = query.extra.get(key)
    return value.strip() if isinstance(value, str) else ""


def _phrase(word: str) -> str:
    """A quoted phrase of the search's language, where only quotes and backslashes count."""
    plain = "".join(c if c.isprintable() else " " for c in word[:_MAX_WORD])
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
