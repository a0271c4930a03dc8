"""One request and its answer, as the outermost layer sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, Final, NamedTuple

from host.web.headers import NO_SNIFFING, add_headers
from host.web.leases import Lease

__all__ = ["EXCHANGE", "Exchange", "OnRequest", "RequestRecord", "StaleCatalog"]


class RequestRecord(NamedTuple):
    """What an access log needs to know. ``path`` has no query (tokens may stand there);
    ``duration`` is in seconds, to the last byte for files and streams; ``size`` is the body's
    in bytes, 0 where nobody knew it beforehand."""

    method: str
    path: str
    status: int
    duration: float
    request_id: str
    plugin_id: str
    principal_id: str
    peer: str
    size: int


OnRequest = Callable[[RequestRecord], object]
"""Told of every answer; must be quick."""


EXCHANGE: Final = "stagebox.exchange"
"""Where the WSGI environment holds it."""


class StaleCatalog(Exception):
    """The plugin that was found is going; the present catalog may know another, or none."""


class Exchange:
    """The request's id, and the ``start_response`` that puts it on the answer."""

    __slots__ = (
        "_done",
        "_start_response",
        "id",
        "lease",
        "method",
        "more",
        "path",
        "peer",
        "plugin_id",
        "principal_id",
        "shown",
        "size",
        "started",
        "status",
    )

    def __init__(
        self,
        id: str,
        method: str,
        path: str,
        peer: str,
        start_response: Callable[..., Any],
        done: OnRequest | None,
    ) -> None:
        self.id = id
        self.method = method
        self.path = path
        self.peer = peer
        self.shown = ""
        """What logs say in place of a path that holds a secret."""
        self.plugin_id = ""
        self.principal_id = ""
        self.status = 0
        self.size = 0
        self.more: Mapping[str, str] = {}
        """Headers that filters put on the answer, names in lower case."""
        self.lease: Lease | None = None
        """Of a body that is sent after the application returned; it calls `finish` itself."""
        self.started = perf_counter()
        self._start_response = start_response
        self._done = done

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """``start_response`` of PEP 3333, with the headers that every answer has."""
        if self._done is not None:
            self.status = int(status[:3])
            self.size = _content_length(headers)
        if self.more:
            add_headers(headers, self.more)
        headers.append(NO_SNIFFING)
        headers.append(("X-Request-Id", self.id))
        if exc_info is None:
            return self._start_response(status, headers)  # type: ignore[no-any-return]
        return self._start_response(status, headers, exc_info)  # type: ignore[no-any-return]

    def finish(self) -> None:
        """Hands the record over, once."""
        done, self._done = self._done, None
        if done is not None:
            done(
                RequestRecord(
                    self.method,
                    self.shown or self.path,
                    self.status,
                    perf_counter() - self.started,
                    self.id,
                    self.plugin_id,
                    self.principal_id,
                    self.peer,
                    self.size,
                )
            )


def _content_length(headers: list[tuple[str, str]]) -> int:
    for name, value in headers:
        if name.lower() == "content-length":
            return int(value)
    return 0
