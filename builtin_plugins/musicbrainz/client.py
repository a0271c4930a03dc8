"""The web service, version 2: one question, one JSON answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from builtin_plugins.musicbrainz.cache import Cache
from builtin_plugins.musicbrainz.limiter import Limiter
from plugin_sdk import (
    Forbidden,
    Http,
    HttpReply,
    Invalid,
    ProviderError,
    UpstreamFailed,
    parse_json,
)

__all__ = ["Client", "Service"]

MAX_BYTES: Final = 2 * 1024 * 1024
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Service:
    """Which server is asked, and how. ``retries`` come beside the first try."""

    base_url: str
    user_agent: str
    per_second: float = 1.0
    retries: int = 3
    timeout: float = 10.0


class Client:
    """Answers come from the cache where they can; every other request waits for its turn."""

    def __init__(self, http: Http, cache: Cache, limiter: Limiter, service: Service) -> None:
        self._http = http
        self._cache = cache
        self._limiter = limiter
        self._service = service
        self._server = urlsplit(service.base_url).netloc.lower()

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The answer to ``<base>/<path>?<query>``; None when the server knows no such thing.
        Raises ProviderError."""
        url = f"{self._service.base_url.rstrip('/')}/{path}"
        question = f"{url}?{urlencode(sorted(query.items()))}"
        known, answer = self._cache.get(question)
        if not known:
            answer = self._asked(url, {**query, "fmt": "json"})
            self._cache.put(question, answer)
        return answer

    def _asked(self, url: str, query: Mapping[str, str]) -> Any:
        failure = ProviderError(f"{self._server} does not answer.")
        for attempt in range(self._service.retries + 1):
            if attempt:
                self._limiter.hold(self._server, failure.retry_after or 2.0 ** (attempt - 1))
            self._limiter.take(self._server, self._service.per_second)
            try:
                return self._answer(self._sent(url, query))
            except ProviderError as error:
                if error.permanent:
                    raise
                failure = error
        raise failure

    def _sent(self, url: str, query: Mapping[str, str]) -> HttpReply:
        headers = {"user-agent": self._service.user_agent, "accept": "application/json"}
        try:
            return self._http.request(
                "GET",
                url,
                headers=headers,
                query=query,
                timeout=self._service.timeout,
                max_bytes=MAX_BYTES,
            )
        except (Forbidden, Invalid) as error:
            raise ProviderError(error.message, permanent=True) from None
        except UpstreamFailed as error:
            raise ProviderError(f"{self._server} does not answer: {error.message}") from None

    def _answer(self, reply: HttpReply) -> Any:
        if reply.status == 404:
            return None
        if reply.status in _REFUSED:
            raise ProviderError(f"{self._server} refuses requests ({reply.status}).", None, True)
        if reply.status in _BUSY:
            message = f"{self._server} is busy ({reply.status})."
            raise ProviderError(message, retry_after=_seconds(reply.headers.get("retry-after")))
        if not reply.ok:
            raise ProviderError(f"{self._server} answered {reply.status}.", None, True)
        try:
            return parse_json(reply.content)
        except Invalid:
            raise ProviderError(f"{self._server} did not answer in JSON.") from None


def _seconds(value: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); a date there is as good as none."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
