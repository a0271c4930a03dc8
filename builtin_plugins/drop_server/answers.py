"""How boxes look over HTTP: conditions that come in, multipart that goes out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from builtin_plugins.drop_server.messages import Message, Span
from plugin_sdk import Headers, Response

__all__ = ["after", "box_answer", "conditional", "nothing"]

_NO_STORE: Final = {"Cache-Control": "no-store"}
_LATEST: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_SECOND_US: Final = 1_000_000
_FAR: Final = 2**62


def conditional(headers: Headers) -> int | None:
    """The condition of a GET or HEAD: only messages after this many microseconds count. None
    without one, and when two are sent or one cannot be read."""
    since, modified = headers.get("x-qabel-new-since"), headers.get("if-modified-since")
    if (since is None) == (modified is None):
        return None
    return after(since) if since is not None else _before_second(modified or "")


def after(latest: str) -> int | None:
    """``X-Qabel-New-Since`` in whole microseconds. Digits beyond the sixth are cut off: a
    message is newer than 1.0000005 s exactly if it is newer than 1.000000 s."""
    found = _LATEST.fullmatch(latest.strip())
    if found is None:
        return None
    seconds = found[1].lstrip("0")
    if len(seconds) > 12:
        return _FAR
    return int(seconds or "0") * _SECOND_US + int((found[2] or "")[:6].ljust(6, "0"))


def _before_second(date: str) -> int | None:
    """``If-Modified-Since``: dates have whole seconds, so the messages of that second count."""
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:  # "-0000": the standard library leaves the zone open
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp()) * _SECOND_US - 1
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def nothing(condition: int | None) -> Response:
    """204 for an empty box, 304 when there is nothing newer (RFC 9110, 15.4.5)."""
    empty = Response.empty(204 if condition is None else 304)
    return empty.with_headers(**{"Cache-Control": "no-store"})


def box_answer(span: Span, messages: Iterable[Message]) -> Response:
    """200, in the form of multipart/mixed (RFC 2046, 5.1)."""
    boundary = str(uuid.uuid4())
    headers = {
        **_NO_STORE,
        "Last-Modified": _date(span.newest),
        "X-Qabel-Latest": f"{span.newest // _SECOND_US}.{span.newest % _SECOND_US:06d}",
    }
    content_type = f'multipart/mixed; boundary="{boundary}"'
    return Response.stream(_parts(boundary, messages), content_type, headers=headers)


def _parts(boundary: str, messages: Iterable[Message]) -> Iterator[bytes]:
    for message in messages:
        head = (
            f"--{boundary}\r\nContent-Type: application/octet-stream\r\n"
            f"Date: {_date(message.posted_us)}\r\n\r\n"
        )
        yield head.encode() + message.body + b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _date(posted_us: int) -> str:
    return formatdate(posted_us // _SECOND_US, usegmt=True)
