"""What is sent: checked URLs and headers, bodies, and where a redirect leads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

import httpcore
import httpx

from plugin_sdk import Invalid, dump_json

__all__ = ["Message", "message", "redirected"]

_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)
_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})
"""They have a length even when that is 0 (RFC 9110, 8.6)."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it goes out. ``decode``: whether the answer's gzip is taken off."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    decode: bool = True

    @property
    def host(self) -> str:
        return self.url.host

    def to_core(self) -> httpcore.Request:
        """For the connection pool; raises Invalid for what HTTP cannot carry."""
        headers = [(b"Host", self.url.netloc)]
        try:
            headers += [
                (name.encode("ascii"), value.encode("ascii"))
                for name, value in self.headers.items()
            ]
        except (UnicodeError, AttributeError) as error:
            raise Invalid("A header name or value is none that HTTP can carry.") from error
        if self.content or self.method in _WITH_CONTENT:
            headers.append((b"Content-Length", b"%d" % len(self.content)))
        target = httpcore.URL(
            scheme=self.url.raw_scheme,
            host=self.url.raw_host,
            port=self.url.port,
            target=self.url.raw_path,
        )
        method = self.method.encode("ascii", "replace")
        return httpcore.Request(method, target, headers=headers, content=self.content)


def message(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None,
    query: Mapping[str, str] | None,
    json: Any,
    content: bytes | None,
    user_agent: str,
    compressed: bool,
) -> Message:
    """Checks and completes; raises Invalid."""
    if json is not None and content is not None:
        raise Invalid("A request has either json or content, not both.")
    given = {name.lower(): value for name, value in (headers or {}).items()}
    for name in _OWN_HEADERS & given.keys():
        raise Invalid(f"The header {name} is made from the request; leave it out.")
    full = {"user-agent": user_agent, "accept": "*/*"}
    full["accept-encoding"] = "gzip" if compressed and "range" not in given else "identity"
    if json is not None:
        content = dump_json(json).encode()
        full["content-type"] = "application/json"
    decode = "accept-encoding" not in given
    checked = _url(url, query)
    return Message(method.upper(), checked, {**full, **given}, content or b"", decode)


def _url(text: str, query: Mapping[str, str] | None) -> httpx.URL:
    # The text is not repeated in messages: a key may stand in its query.
    try:
        url = httpx.URL(text)
        if query:
            more = urlencode(dict(query))
            before = url.query.decode("ascii")
            url = url.copy_with(query=f"{before}&{more}".lstrip("&").encode())
    except (httpx.InvalidURL, UnicodeError, TypeError, ValueError):
        raise Invalid("This is no URL that a request can be sent to.") from None
    if url.scheme not in _PORTS:
        raise Invalid("Only http and https URLs can be asked.")
    if not _is_host(url.raw_host.decode("ascii")):
        raise Invalid("The URL names no host.")
    if url.userinfo:
        raise Invalid("A URL with a user name or password is refused; use a header.")
    if url.port is not None and not 1 <= url.port <= 65535:
        raise Invalid("The port of the URL is not between 1 and 65535.")
    return url


def _is_host(text: str) -> bool:
    """A name as DNS may have it, or an address; other characters would only confuse."""
    return bool(re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", text))


def redirected(sent: Message, status: int, headers: Mapping[str, str]) -> Message | None:
    """The request that follows an answer (RFC 9110, 15.4), or None when the answer is none that
    leads to another path of the same host. From http to https is the same host, not back."""
    if status not in _REDIRECTS or "location" not in headers:
        return None
    try:
        url = _url(str(sent.url.join(headers["location"])), None)
    except (Invalid, httpx.InvalidURL, UnicodeError, ValueError):
        return None
    if url.host != sent.url.host or not _same_service(sent.url, url):
        return None
    if status in (307, 308) or sent.method in ("GET", "HEAD"):
        return replace(sent, url=url)
    if status != 303 and sent.method != "POST":
        return replace(sent, url=url)
    without_body = {
        name: value for name, value in sent.headers.items() if not name.startswith("content-")
    }
    return replace(sent, method="GET", url=url, headers=without_body, content=b"")


def _same_service(before: httpx.URL, after: httpx.URL) -> bool:
    ports = [url.port or _PORTS[url.scheme] for url in (before, after)]
    if before.scheme == after.scheme:
        return ports[0] == ports[1]
    return before.scheme == "http" and ports == [80, 443]
