"""Answers and refusals in the form of the contract (2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from builtin_plugins.drops import strict
from plugin_sdk import Invalid, MethodNotAllowed, Problem, Response, StageboxError, TextBody

__all__ = [
    "ALLOWED",
    "CONTENT_TYPE",
    "document",
    "empty",
    "found",
    "invalid",
    "invalid_key",
    "listing",
    "refusal",
    "value",
    "worded",
]

CONTENT_TYPE: Final = "application/json; charset=UTF-8"
ALLOWED: Final[Mapping[str, str]] = {
    "/settings": "GET, HEAD, PUT, POST, OPTIONS",
    "/synced": "GET, HEAD, PUT, POST, OPTIONS",
    "/drop": "GET, HEAD, POST, OPTIONS",
}

_PIECE: Final = 64 * 1024
_NO_STORE: Final = {"Cache-Control": "no-store"}
_Error = TypeVar("_Error", bound=StageboxError)


def refusal(
    kind: type[_Error],
    message: str,
    code: str | None = None,
    *,
    details: Iterable[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> _Error:
    """An error to raise, with the Content-Type of this contract."""
    all_headers = {"Content-Type": CONTENT_TYPE, **_NO_STORE, **(headers or {})}
    return kind(message, code=code, details=details, headers=all_headers)


def worded(error: StageboxError) -> Response:
    """The body of any error below these paths, whoever found it."""
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = [{"path": each.path, "message": each.message} for each in error.details]
    return Response(body, content_type=CONTENT_TYPE)


def invalid(
    message: str, code: str = "INVALID_REQUEST", details: Iterable[Problem] = ()
) -> Invalid:
    """400."""
    return refusal(Invalid, message, code, details=details)


def invalid_key(path: str, message: str, code: str) -> MethodNotAllowed:
    """405, which in this contract also says that a key or a text is not valid."""
    return refusal(MethodNotAllowed, message, code, headers={"Allow": ALLOWED[path]})


def document(text: str) -> Response:
    """A document that is JSON text already."""
    return Response(TextBody(text.encode()), 200, _NO_STORE, CONTENT_TYPE)


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """No body: what was written is not repeated."""
    return Response(TextBody(b""), status, {**_NO_STORE, **(headers or {})}, "")


def listing(texts: Iterable[str], headers: Mapping[str, str]) -> Response:
    """An array of JSON texts. What comes one by one is sent so."""
    all_headers = {**_NO_STORE, **headers}
    if not isinstance(texts, Sequence):
        return Response.stream(_array(texts), CONTENT_TYPE, headers=all_headers)
    body = "[" + ",".join(texts) + "]"
    return Response(TextBody(body.encode()), 200, all_headers, CONTENT_TYPE)


def found(headers: Mapping[str, str]) -> Response:
    """What a HEAD is told of a listing that nobody made: it has no length."""
    return Response.stream((), CONTENT_TYPE, headers={**_NO_STORE, **headers})


def _array(texts: Iterable[str]) -> Iterator[bytes]:
    pieces, size = ["["], 0
    for number, text in enumerate(texts):
        pieces += ("," if number else "", text)
        size += len(text)
        if size >= _PIECE:
            yield "".join(pieces).encode()
            pieces, size = [], 0
    yield "".join([*pieces, "]"]).encode()


def value(body: Any, status: int) -> Response:
    """Any JSON value, rendered here."""
    return Response(TextBody(strict.compact(body).encode()), status, _NO_STORE, CONTENT_TYPE)
