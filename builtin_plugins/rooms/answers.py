"""Answers of the open-group face (open-group contract, 2.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

from builtin_plugins.rooms.documents import dump
from plugin_sdk import Request, Response, StageboxError

__all__ = [
    "DONE",
    "base64_answer",
    "error_object",
    "listed",
    "listed_by_and_by",
    "succeeded",
    "with_text",
]

_HEADERS: Final = {"Cache-Control": "no-store"}
_MOST_AT_ONCE: Final = 8 * 1024 * 1024
"""Characters of a list that are kept in memory."""


def _text(text: str) -> Response:
    return Response.json_text(text, headers=_HEADERS)


DONE: Final = _text('{"status_code":200}')


def succeeded(**members: Any) -> Response:
    """200 with these members beside ``status_code``."""
    return _text(dump({"status_code": 200, **members}))


def with_text(name: str, text: str) -> Response:
    """200 with one member whose value is a JSON text already."""
    return _text(f'{{"status_code":200,"{name}":{text}}}')


def listed(name: str, items: str) -> Response:
    """200 with an array whose items are JSON texts already, joined by commas."""
    return _text(f'{{"status_code":200,"{name}":[{items}]}}')


def listed_by_and_by(name: str, items: Iterator[str]) -> Response:
    """As `listed`, for items that may be more than belongs into memory at once: what is long is
    made while it is sent."""
    made: list[str] = []
    size = 0
    for item in items:
        made.append(item)
        size += len(item)
        if size > _MOST_AT_ONCE:
            return Response.stream(_pieces(name, made, items), "application/json", None, _HEADERS)
    return listed(name, ",".join(made))


def _pieces(name: str, made: list[str], items: Iterator[str]) -> Iterator[bytes]:
    yield f'{{"status_code":200,"{name}":['.encode()
    yield ",".join(made).encode()
    made.clear()
    for item in items:
        yield b"," + item.encode()
    yield b"]}"


def base64_answer(content: bytes) -> Response:
    """200 with bytes as ``result``; the text is made once, whatever its size."""
    text = b'{"status_code":200,"result":"' + base64.b64encode(content) + b'"}'
    return Response.json_text(text, headers=_HEADERS)


def error_object(error: StageboxError, request: Request) -> dict[str, Any] | None:
    """The body of an error; None, which is the host's own shape, below ``/api/``."""
    if request.path.startswith("/api/"):
        return None
    return {"status_code": error.status, "error": error.message}
