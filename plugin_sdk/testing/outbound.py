"""``context.http`` without a network: answers that the test lays out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from plugin_sdk.errors import Forbidden, Invalid, UpstreamFailed
from plugin_sdk.outbound import HttpReply, HttpStream
from plugin_sdk.strict_json import dump_json, parse_json

__all__ = ["Answer", "FakeHttp", "HttpRequest"]

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that the plugin sent. ``url`` holds the query too; header names are in lower
    case; ``content`` is the body, JSON rendered already."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    timeout: float = 10.0

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL; of a name that occurs twice the last one."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON; raises Invalid."""
        return parse_json(self.content)


Answer = HttpReply | Exception | Callable[[HttpRequest], HttpReply]


@dataclass(frozen=True, slots=True)
class _Stream:
    status: int
    headers: Mapping[str, str]
    content: bytes
    max_bytes: int

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), _PIECE):
            if min(start + _PIECE, len(self.content)) > self.max_bytes:
                raise UpstreamFailed(f"The answer is larger than {self.max_bytes} bytes.")
            yield self.content[start : start + _PIECE]


class FakeHttp:
    """``context.http`` in tests: no request leaves the machine::

        context.http.answer("GET", "https://example.org/api/films", HttpReply(200, {}, b"[]"))
        context.http.answer_json("GET", "https://example.org/api/films?q=up", [{"id": 1}])
        context.http.answer("GET", "https://example.org/broken", UpstreamFailed("timed out"))
        plugin.search(request(query={"q": "up"}))
        assert context.http.requests[0].headers["authorization"] == "Bearer key"

    An answer for a URL with a query counts for exactly that, one without for any query. Several
    answers for the same are given in order; the last one again and again. What has none raises
    UpstreamFailed naming the URL. Redirects, size limits and refused addresses are as in the
    host, as far as a literal address can be judged; ``private`` is the capability
    ``http.private``.
    """

    def __init__(self, *, private: bool = True) -> None:
        self.requests: list[HttpRequest] = []
        """Every request that was sent, in order; those after a redirect too."""
        self._private = private
        self._answers: dict[tuple[str, str], list[Answer]] = {}

    def answer(self, method: str, url: str, answer: Answer) -> None:
        """Lays out an answer: a reply, an exception to raise, or a function of the request."""
        self._answers.setdefault((method.upper(), url), []).append(answer)

    def answer_json(self, method: str, url: str, value: Any, *, status: int = 200) -> None:
        """Lays out an answer in JSON."""
        headers = {"content-type": "application/json"}
        self.answer(method, url, HttpReply(status, headers, dump_json(value).encode(), url))

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
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            content = dump_json(json).encode()
            sent.setdefault("content-type", "application/json")
        request = HttpRequest(method.upper(), _joined(url, query), sent, content or b"", timeout)
        reply = self._follow(request, redirects, private)
        if len(reply.content) > max_bytes:
            raise UpstreamFailed(f"The answer of {request.url} is larger than {max_bytes} bytes.")
        return reply

    @contextmanager
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
    ) -> Iterator[HttpStream]:
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        request = HttpRequest(method.upper(), _joined(url, query), sent, content or b"", timeout)
        reply = self._follow(request, redirects, private)
        yield _Stream(reply.status, reply.headers, reply.content, max_bytes)

    def _follow(self, request: HttpRequest, redirects: int, private: bool) -> HttpReply:
        reply = self._send(request, private)
        while redirects > 0 and reply.status in _REDIRECTS and "location" in reply.headers:
            target = urljoin(request.url, reply.headers["location"])
            if urlsplit(target).netloc != urlsplit(request.url).netloc:
                break
            request = replace(request, url=target)
            if reply.status == 303:
                request = replace(request, method="GET", content=b"")
            reply = self._send(request, private)
            redirects -= 1
        return reply

    def _send(self, request: HttpRequest, private: bool) -> HttpReply:
        self._check_address(request.url, private)
        self.requests.append(request)
        plain = urlunsplit(urlsplit(request.url)._replace(query="", fragment=""))
        for url in (request.url, plain):
            answers = self._answers.get((request.method, url))
            if answers:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return _reply(answer, request)
        known = ", ".join(" ".join(each) for each in self._answers) or "none"
        raise UpstreamFailed(
            f"No answer was laid out for {request.method} {request.url} (there are: {known}). "
            f"Write context.http.answer({request.method!r}, {plain!r}, HttpReply(...))."
        )

    def _check_address(self, url: str, private: bool) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(f'"{url}" is no http or https URL.')
        if (self._private and private) or not _is_private(parts.hostname):
            return
        needed = "the capability http.private" if private else "a request without private=False"
        raise Forbidden(f"{parts.hostname} is a private address: that needs {needed}.")


def _reply(answer: Answer, request: HttpRequest) -> HttpReply:
    if isinstance(answer, Exception):
        raise answer
    reply = answer if isinstance(answer, HttpReply) else answer(request)
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return replace(reply, headers=headers, url=request.url)


def _joined(url: str, query: Mapping[str, str] | None) -> str:
    if not query:
        return url
    return url + ("&" if urlsplit(url).query else "?") + urlencode(query)


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
