"""The web service, version 2: one question, one JSON answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from builtin_plugins.musicbrainz.cache import Cache
from builtin_plugins.musicbrainz.limiter import MAX_WAIT, Limiter
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
_DIGITS: Final = 9


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
        server = urlsplit(service.base_url).netloc.lower()
        self._server = server.rpartition("@")[2]  # a password is shown to nobody

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
                wait = failure.retry_after or 2.0 ** (attempt - 1)
                self._limiter.hold(self._server, wait)
                if wait > MAX_WAIT:  # to ask before that would be too early
                    break
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
            wait = _seconds(reply.headers.get("retry-after"), self._limiter.now())
            raise ProviderError(message, retry_after=wait)
        if not reply.ok:
            raise ProviderError(f"{self._server} answered {reply.status}.", None, True)
        try:
            return parse_json(reply.content)
        except Invalid:
            raise ProviderError(f"{self._server} did not answer in JSON.") from None


def _seconds(value: str | None, now: float) -> float | None:
    """Retry-After in seconds from ``now``, which is in seconds as well (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:_DIGITS])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now) or None
