"""The SDK's `Request`, built from a WSGI environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from host.web.headers import EnvironHeaders
from plugin_sdk import Invalid, Principal, Query, Request, TooLarge

__all__ = [
    "EMPTY_QUERY",
    "NO_PARAMS",
    "BodyReader",
    "ServedRequest",
    "UnidentifiedRequest",
    "bare_request",
    "no_body",
    "raw_query",
    "request_host",
    "request_target",
]

EMPTY_QUERY: Final = Query()
NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})


def no_body() -> bytes:
    """``request.read`` where a body means nothing."""
    return b""


def raw_query(params: Mapping[str, str | list[str]]) -> dict[str, Sequence[str]]:
    """Falcon's parameters as a mapping to all occurrences."""
    return {name: value if isinstance(value, list) else (value,) for name, value in params.items()}


def request_host(environ: Mapping[str, Any]) -> str:
    """The Host header, or the name of the server where there is none (HTTP/1.0)."""
    host: str = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "localhost")
    return host


def request_target(environ: Mapping[str, Any]) -> str:
    """Path and query as sent; rebuilt where the server does not keep them."""
    sent: str | None = environ.get("REQUEST_URI")
    if sent is not None:
        return sent
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~")
    query: str = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def bare_request(
    environ: Mapping[str, Any],
    path: str,
    params: Mapping[str, str | list[str]],
    request_id: str,
    fields: Mapping[str, str] = NO_PARAMS,
) -> Request:
    """A request of which only the head was looked at, for whoever words an error."""
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path,
        params=fields,
        query=Query(raw_query(params)),
        headers=EnvironHeaders(environ),
        peer=environ.get("REMOTE_ADDR", ""),
        scheme=environ["wsgi.url_scheme"],
        host=request_host(environ),
        id=request_id,
        target=request_target(environ),
    )


class ServedRequest(Request):
    """What a handler gets: each part is made when somebody looks at it, and then kept.

    Most handlers look at few. What refuses a request is judged before, so nothing here raises
    what would have kept the handler from being called.
    """

    __slots__ = ("_environ", "_whom")

    @classmethod
    def of(
        cls, environ: Mapping[str, Any], whom: Callable[[Mapping[str, Any]], Principal]
    ) -> ServedRequest:
        """``whom`` finds the principal of a request without a token, unless `put` does."""
        request = cls.__new__(cls)  # not by __init__: that is for dataclasses.replace
        _put(request, "_environ", environ)
        _put(request, "_whom", whom)
        return request

    def put(self, name: str, value: Any) -> None:
        """What is known of it already; before anybody else has the request."""
        _put(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            value = _ABSENT[name]
        elif name in _PARTS:
            value = _PARTS[name](self)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        _put(self, name, value)
        return value


class UnidentifiedRequest(Request):
    """Another request, whose principal and token are looked up when somebody wants to know."""

    __slots__ = ("_admit",)

    @classmethod
    def of(
        cls, request: Request, admit: Callable[[Request], tuple[Principal, str | None]]
    ) -> UnidentifiedRequest:
        """``admit`` is called once at the most."""
        late = cls.__new__(cls)  # not by __init__: that is for dataclasses.replace
        for name in _FIELDS:
            _put(late, name, getattr(request, name))
        _put(late, "_admit", admit)
        return late

    @property
    def identified(self) -> bool:
        """Whether somebody wanted to know."""
        return not hasattr(self, "_admit")

    def __getattr__(self, name: str) -> Any:
        if name not in _IDENTITY or self.identified:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        found = dict(zip(_IDENTITY, self._admit(self), strict=True))
        for each, value in found.items():
            _put(self, each, value)
        object.__delattr__(self, "_admit")
        return found[name]


_put: Final = object.__setattr__
_IDENTITY: Final = ("principal", "token")
_FIELDS: Final = tuple(each.name for each in fields(Request) if each.name not in _IDENTITY)
_ABSENT: Final[Mapping[str, Any]] = {
    "params": NO_PARAMS,
    "query": EMPTY_QUERY,
    "body": None,
    "form": None,
    "token": None,
    "id": "",
    "read": no_body,
}
_PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "method": lambda request: request._environ["REQUEST_METHOD"],
    "path": lambda request: request._environ["PATH_INFO"],
    "headers": lambda request: EnvironHeaders(request._environ),
    "principal": lambda request: request._whom(request._environ),
    "peer": lambda request: request._environ.get("REMOTE_ADDR", ""),
    "scheme": lambda request: request._environ["wsgi.url_scheme"],
    "host": lambda request: request_host(request._environ),
    "target": lambda request: request_target(request._environ),
}


class BodyReader:
    """``request.read``: the raw body, read once, never more than ``limit`` bytes of it."""

    __slots__ = ("_content", "_environ", "limit")

    def __init__(self, environ: Mapping[str, Any], limit: int) -> None:
        self._environ = environ
        self._content: bytes | None = None
        self.limit = limit

    def __call__(self) -> bytes:
        """Raises TooLarge; Invalid when less arrives than Content-Length says."""
        if self._content is None:
            self._content = self._read()
        return self._content

    def is_empty(self) -> bool:
        """Whether there is no body at all. Raises TooLarge."""
        length = self.length()
        return length == 0 if length is not None else not self()

    def length(self) -> int | None:
        """Bytes as declared; None for a body whose end only reading finds. Raises TooLarge."""
        text = self._environ.get("CONTENT_LENGTH")
        if not text:
            return None if self._environ.get("wsgi.input_terminated") else 0
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise Invalid("Content-Length is not a number of bytes.")
        length = int(text)
        if length > self.limit:
            raise self.too_large()
        return length

    def stream(self) -> tuple[BinaryIO, int]:
        """The body to be read piece by piece, and how many bytes at most. Raises TooLarge."""
        length = self.length()
        stream: BinaryIO = self._environ["wsgi.input"]
        return stream, self.limit + 1 if length is None else length

    def too_large(self) -> TooLarge:
        return TooLarge(f"The body may have at most {self.limit} bytes.")

    def _read(self) -> bytes:
        stream, expected = self.stream()
        content = _read_all(stream.read, expected)
        if len(content) > self.limit:
            raise self.too_large()
        if self._environ.get("CONTENT_LENGTH") and len(content) < expected:
            raise Invalid("The body ended early: less arrived than Content-Length says.")
        return content


def _read_all(read: Callable[[int], bytes], size: int) -> bytes:
    """Up to ``size`` bytes; a stream may give fewer at once than asked for."""
    if not size:
        return b""
    content = read(size)
    while content and len(content) < size:
        more = read(size - len(content))
        if not more:
            break
        content += more
    return content
