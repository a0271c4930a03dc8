"""Requests to the service: one question, one JSON answer. The key appears in no error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from builtin_plugins.tmdb.limiter import Bucket, Waiter
from builtin_plugins.tmdb.service import Service
from plugin_sdk import (
    Forbidden,
    Http,
    HttpReply,
    Invalid,
    ProviderError,
    UpstreamFailed,
    parse_json,
)

__all__ = ["Client"]

_MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_RETRY_AFTER: Final = 30.0


class _MayPass(ProviderError):
    """Worth another try."""


class Client:
    """Waits for its turn before each request, and tries again what may pass: network errors,
    time-outs, 429 and 5xx, after 1, 2, 4 … seconds or what ``Retry-After`` says."""

    def __init__(self, http: Http, service: Service, bucket: Bucket, waiter: Waiter) -> None:
        self._http = http
        self._service = service
        self._bucket = bucket
        self._waiter = waiter
        self._server = urlsplit(service.base_url).hostname or "the server"

    def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        """The object at ``<base><path>``; None where the service knows nothing of the kind.
        Raises ProviderError."""
        wanted = {"api_key": self._service.key, "language": self._service.language, **query}
        pause = 1.0
        for left in range(self._service.retries, -1, -1):
            self._bucket.take()
            try:
                return self._answer(self._sent(self._service.base_url + path, wanted))
            except _MayPass as error:
                if not left:
                    raise
                self._waiter.wait(pause if error.retry_after is None else error.retry_after)
                pause *= 2
        raise AssertionError("unreachable")

    def _sent(self, url: str, query: Mapping[str, str]) -> HttpReply:
        try:
            return self._http.request(
                "GET",
                url,
                query=query,
                headers={"accept": "application/json"},
                timeout=self._service.timeout,
                max_bytes=_MAX_BYTES,
                redirects=2,
            )
        except (Forbidden, Invalid):
            message = f"{self._server} must not be asked: look at baseUrl."
            raise ProviderError(message, permanent=True) from None
        except UpstreamFailed:
            # What it says may quote the address, and the key is part of that.
            raise _MayPass(f"{self._server} does not answer.") from None

    def _answer(self, reply: HttpReply) -> dict[str, Any] | None:
        status = reply.status
        if status == 404:
            return None
        if status in (401, 403):
            raise ProviderError(f"{self._server} refuses the key ({status}).", permanent=True)
        if status == 429 or status >= 500:
            after = _seconds(reply.headers.get("retry-after"))
            raise _MayPass(f"{self._server} is busy ({status}).", retry_after=after)
        if not reply.ok:
            raise ProviderError(f"{self._server} answered {status}.", permanent=False)
        try:
            found = parse_json(reply.content)
        except Invalid:
            raise ProviderError(f"{self._server} did not answer in JSON.") from None
        if not isinstance(found, dict):
            raise ProviderError(f"{self._server} did not answer with an object.")
        return found


def _seconds(value: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3), at most 30; a date there is as good as none."""
    if value is None or not (value.isascii() and value.isdigit()):
        return None
    return min(float(value), _MAX_RETRY_AFTER)
