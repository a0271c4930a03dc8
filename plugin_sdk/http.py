"""What goes into a handler and what comes out of it: plain frozen values.

A handler is tested by calling it::

    response = board.favorites(Request(query=Query({"serverId": ["room-1"]})))
    assert response.body == []
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from plugin_sdk.access import ANONYMOUS, Principal
from plugin_sdk.blobs import Blob
from plugin_sdk.errors import Invalid, MissingParameter
from plugin_sdk.strict_json import parse_json

__all__ = [
    "FileBody",
    "Form",
    "Headers",
    "Query",
    "Request",
    "Response",
    "StreamBody",
    "TextBody",
    "Upload",
]


@lru_cache(maxsize=256)
def is_loopback(peer: str) -> bool:
    """Whether a socket's address is of this machine: 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


class Headers(Mapping[str, str]):
    """Request headers by name in any case; a header sent twice is joined by ``", "``."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): value for name, value in (values or {}).items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Query(Mapping[str, Any]):
    """Query parameters.

    ``query[name]`` is the value that the route's ``query`` schema made of it, or else the text
    of its first occurrence; a missing one raises MissingParameter, which answers 400.
    ``query.all(name)`` gives every occurrence as sent.
    """

    __slots__ = ("_raw", "_values")

    def __init__(
        self,
        raw: Mapping[str, Sequence[str]] | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._raw: Mapping[str, Sequence[str]] = raw or {}
        self._values: Mapping[str, Any] = (
            values if values is not None else {name: texts[0] for name, texts in self._raw.items()}
        )

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise MissingParameter(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value, or the default for a missing one: no exception is made for that."""
        return self._values.get(key, default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every occurrence, undecoded by any schema, in the order sent."""
        return tuple(self._raw.get(name, ()))

    @property
    def raw(self) -> Mapping[str, Sequence[str]]:
        """All parameters as sent, each with all its occurrences."""
        return self._raw


class Upload(Protocol):
    """A file of a multipart form. The host closes and removes it after the request."""

    @property
    def name(self) -> str: ...
    @property
    def filename(self) -> str:
        """As the client named it: never use it as a path."""
        ...

    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def file(self) -> BinaryIO:
        """Seekable, at its beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form (RFC 7578): text fields, and files in the order sent."""

    fields: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Upload] = ()

    def file(self, name: str) -> Upload:
        """The only file part of that name; raises Invalid when there is none or more than one."""
        found = [upload for upload in self.files if upload.name == name]
        if len(found) != 1:
            raise Invalid(f'The form needs exactly one file part named "{name}".')
        return found[0]


def _no_body() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One request, as far as a handler needs to know it.

    ``path`` is percent-decoded, ``params`` are the path's ``{fields}``, ``body`` is the JSON
    value once the route declares ``body``, ``form`` the form once it consumes multipart.
    ``peer`` is the address of the socket's other end; forwarded headers are never consulted.
    ``id`` is the request id that log lines carry.
    """

    method: str = "GET"
    path: str = "/"
    params: Mapping[str, str] = field(default_factory=dict)
    query: Query = field(default_factory=Query)
    headers: Headers = field(default_factory=Headers)
    body: Any = None
    form: Form | None = None
    principal: Principal = ANONYMOUS
    token: str | None = field(default=None, repr=False)
    peer: str = "127.0.0.1"
    scheme: str = "http"
    host: str = "localhost"
    id: str = ""
    read: Callable[[], bytes] = field(default=_no_body, repr=False)
    """Reads the whole raw body, at most the route's ``max_body`` bytes; raises TooLarge."""
    target: str = field(default="", repr=False)
    """Path and query as sent, percent-encoded still (RFC 9112, 3.2). May hold a token."""

    @property
    def loopback(self) -> bool:
        """Whether the socket's other end is this machine (127.0.0.0/8, ::1, ::ffff:127.x)."""
        return is_loopback(self.peer)

    def json(self, *, unique_keys: bool = False) -> Any:
        """The raw body as strict JSON, whatever its Content-Type; raises Invalid. With
        ``unique_keys`` a key that occurs twice in one object is refused too."""
        return parse_json(self.read(), unique_keys=unique_keys)


@dataclass(frozen=True, slots=True)
class FileBody:
    """Bytes with a known size: a file, or a blob. Ranges, ETag, If-* and HEAD are the host's."""

    source: Path | Blob
    filename: str | None = None
    attachment: bool = False
    etag: str | None = None
    direct: bool = False


@dataclass(frozen=True, slots=True)
class StreamBody:
    """Bytes that are made while they are sent; without a length they go out chunked."""

    chunks: Iterable[bytes]
    length: int | None = None


@dataclass(frozen=True, slots=True)
class TextBody:
    """Text or bytes that are sent as they are."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a handler answers. A plain ``body`` is sent as JSON.

    A handler may also return a bare JSON value (status 200) or None (status 204).
    Header values are text without line breaks.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @classmethod
    def json_text(
        cls, text: str | bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """JSON that is rendered already, by the database for example; sent as it is."""
        content = text.encode() if isinstance(text, str) else text
        return cls(TextBody(content), status, headers or {})

    @classmethod
    def created(cls, body: Any = None, location: str | None = None) -> Response:
        """201, with a Location header where the new thing has an address of its own; characters
        that a header cannot carry are percent-encoded."""
        return cls(body, 201, {"Location": _reference(location)} if location else {})

    @classmethod
    def empty(cls, status: int = 204) -> Response:
        """No body at all."""
        return cls(TextBody(b""), status, {}, "")

    @classmethod
    def text(
        cls, text: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Plain text in UTF-8."""
        return cls(TextBody(text.encode()), status, headers or {}, "text/plain; charset=utf-8")

    @classmethod
    def html(
        cls, html: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page. Unless ``headers`` says otherwise the host adds a strict
        Content-Security-Policy: everything from this host, nothing inline."""
        return cls(TextBody(html.encode()), status, headers or {}, "text/html; charset=utf-8")

    @classmethod
    def data(
        cls,
        content: bytes,
        content_type: str = "application/octet-stream",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Bytes at hand."""
        return cls(TextBody(content), status, headers or {}, content_type)

    @classmethod
    def file(
        cls,
        source: Path | Blob,
        *,
        content_type: str | None = None,
        filename: str | None = None,
        attachment: bool = False,
        etag: str | None = None,
        headers: Mapping[str, str] | None = None,
        direct: bool = False,
    ) -> Response:
        """A file or a blob, with byte ranges and conditional requests (RFC 9110, 13 and 14).

        ``content_type`` defaults to the blob's, or to that of the path's extension. ``filename``
        (any Unicode text) becomes Content-Disposition. ``etag`` is the opaque part of a strong
        ETag; by default it is made from size and modification time, or is the blob's.
        The path must be safe already: nothing here looks where it leads.

        ``direct``: a GET is sent on (307) to where the blob is kept, for an hour, if the active
        provider gives an address (`Blob.url`); else the bytes come from here as ever. So they do
        with another ``content_type``, a ``filename`` or ``attachment``, which that place does not
        know. For clients that follow redirects to other hosts: pages of this one may not.
        """
        body = FileBody(source, filename, attachment, etag, direct)
        return cls(body, 200, headers or {}, content_type or "")

    @classmethod
    def stream(
        cls,
        chunks: Iterable[bytes],
        content_type: str = "application/octet-stream",
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Bytes made on the fly; the iterable is closed when the client leaves."""
        return cls(StreamBody(chunks, length), 200, headers or {}, content_type)

    @classmethod
    def redirect(cls, location: str, status: int = 303) -> Response:
        """To another address; characters that a header cannot carry are percent-encoded."""
        return cls(TextBody(b""), status, {"Location": _reference(location)}, "")

    def with_headers(self, **headers: str) -> Response:
        """A copy with more headers; ``Cache_Control`` stands for ``Cache-Control``."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


def _reference(location: str) -> str:
    """A URI reference (RFC 9110, 10.2.2): what stands for itself in one is kept."""
    return quote(location, safe="/:?#[]@!$&'()*+,;=%~", errors="replace")
