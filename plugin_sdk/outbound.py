"""Requests to other servers, with the limits that a well-behaved plugin needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from plugin_sdk.errors import UpstreamFailed

__all__ = ["Http", "HttpReply", "HttpStream"]


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Raises UpstreamFailed when the content is no JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):  # a stranger's nesting may be as deep as he likes
            raise UpstreamFailed("The other server did not answer in JSON.") from None


class HttpStream(Protocol):
    """An answer that is read piece by piece."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def chunks(self) -> Iterator[bytes]:
        """Raises UpstreamFailed when the time is over or more than ``max_bytes`` arrive."""
        ...


class Http(Protocol):
    """``context.http`` (capability ``http``).

    ``timeout`` limits the whole exchange in seconds, a dripping server included. At most
    ``max_bytes`` of the answer are read. TLS certificates are verified, proxy variables of the
    environment are ignored, no cookie is kept. Redirects are followed only with ``redirects`` > 0
    and only to the same host. Addresses that are not public (loopback, private, link-local) are
    refused unless the manifest declares ``http.private``; what a name resolves to is checked and
    then used. With ``private=False`` they are refused in any case: for a URL that somebody else
    chose, such as one in a file or in the answer of a stranger (OWASP: server-side request
    forgery). Raises UpstreamFailed for everything that keeps an answer from arriving, Forbidden
    for an address that is not allowed, Invalid for a URL that is none.
    """

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        timeout: float = 10.0,
        max_bytes: int = 4 * 1024 * 1024,
        redirects: int = 0,
        private: bool = True,
    ) -> HttpReply:
        """Sends ``json`` (as application/json) or ``content``, and reads the answer."""
        ...

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float = 60.0,
        max_bytes: int = 1024 * 1024 * 1024,
        redirects: int = 0,
        private: bool = True,
    ) -> AbstractContextManager[HttpStream]:
        """As `request`, for large answers."""
        ...
