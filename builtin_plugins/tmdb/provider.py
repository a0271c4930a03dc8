"""The metadata provider: which question is asked for which query (media contract, 8.3)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from builtin_plugins.tmdb import answers
from builtin_plugins.tmdb.client import Client
from builtin_plugins.tmdb.limiter import Bucket, Waiter
from builtin_plugins.tmdb.service import Defaults, Service
from plugin_sdk import (
    Http,
    MediaMetadata,
    MediaQuery,
    MetadataProvider,
    ProviderContext,
    SeasonMetadata,
)

__all__ = ["TmdbProvider", "provider_class"]

_DETAILS: Final = {
    "append_to_response": "credits,images",
    "include_image_language": "en,null",
}
_OTHER_SOURCES: Final = {"IMDB": "imdb_id", "TVDB": "tvdb_id"}
_RESULTS: Final = {"movie": "movie_results", "tv": "tv_results"}


class TmdbProvider(MetadataProvider):
    """Exactly one request for each film or show whose id is known; a search before it where none
    is. Each instance has a rate limit of its own."""

    name = "tmdb"
    display_name = "TMDB"
    source = answers.SOURCE
    kinds = frozenset(_RESULTS)
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "apiKey": {"type": "string", "title": "Key", "maxLength": 256, "writeOnly": True},
            "baseUrl": {
                "type": "string",
                "title": "Address",
                "pattern": "^https?://",
                "maxLength": 300,
            },
            "imageBaseUrl": {
                "type": "string",
                "title": "Address of pictures",
                "pattern": "^https?://",
                "maxLength": 300,
            },
            "rateLimitRps": {"type": "number", "minimum": 0.1, "maximum": 100, "default": 4},
            "language": {"type": "string", "maxLength": 35, "default": "en-US"},
            "retries": {"type": "integer", "minimum": 0, "maximum": 5, "default": 3},
            "timeoutSeconds": {"type": "number", "minimum": 1, "maximum": 60, "default": 10},
        },
    }

    def __init__(self, config: Mapping[str, Any], ctx: ProviderContext) -> None:
        super().__init__(config, ctx)
        http, defaults = self._parts()
        self._service = service = Service.of_config(config, defaults)
        waiter = self._waiter()
        self._client = Client(http, service, Bucket(service.per_second, waiter), waiter)

    @classmethod
    @abstractmethod
    def _parts(cls) -> tuple[Http, Defaults]:
        """The plugin's own client, and what holds without a config."""

    def _waiter(self) -> Waiter:
        return Waiter(lambda: self.ctx.stopping)

    def is_configured(self) -> bool:
        return bool(self._service.key)

    def fetch(self, query: MediaQuery) -> MediaMetadata | None:
        if query.kind not in self.kinds:
            return None
        identity = self._identity(query)
        if identity is None:
            return None
        found = self._client.get(f"/{query.kind}/{identity}", _DETAILS)
        if found is None:
            return None
        return answers.film_or_show(found, query.kind, self._service.image_base_url)

    def fetch_season(self, ids: Mapping[str, str], number: int) -> SeasonMetadata | None:
        identity = ids.get(self.source, "")
        if not _is_number(identity):
            return None
        found = self._client.get(f"/tv/{identity}/season/{number}", {})
        if found is None:
            return None
        return answers.season(found, number, self._service.image_base_url)

    def _identity(self, query: MediaQuery) -> str | None:
        known = query.ids.get(self.source, "")
        if _is_number(known):
            return known
        for source, word in _OTHER_SOURCES.items():
            if other := query.ids.get(source, ""):
                path, results = f"/find/{_segment(other)}", _RESULTS[query.kind]
                identity = self._asked(path, {"external_source": word}, results)
                if identity is not None:
                    return str(identity)
        return self._searched(query)

    def _searched(self, query: MediaQuery) -> str | None:
        words = {"query": query.title.strip()}
        if not words["query"]:
            return None
        if query.year is not None:
            words["year"] = str(query.year)
        identity = self._asked(f"/search/{query.kind}", words, "results")
        return None if identity is None else str(identity)

    def _asked(self, path: str, words: Mapping[str, str], results: str) -> int | None:
        """An id that is only good for the next question: whoever is interrupted before that
        finds it again."""

        def ask() -> int | None:
            return answers.first_id((self._client.get(path, words) or {}).get(results))

        found: int | None = self.ctx.once(f"{path} {sorted(words.items())} {results}", ask)
        return found


def provider_class(http: Http, defaults: Defaults) -> type[TmdbProvider]:
    """The class that is registered: it has the plugin's client, so that whoever makes an instance
    of it need not."""

    class Bound(TmdbProvider):
        @classmethod
        def _parts(cls) -> tuple[Http, Defaults]:
            return http, defaults

    return Bound


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _segment(text: str) -> str:
    """An id of another source as a segment of a path: they are letters and digits."""
    return "".join(c for c in text if c.isascii() and c.isalnum())[:40] or "0"
