"""Byte ranges and conditional requests, decided in one place for everything that is served.

RFC 9110, sections 13 and 14, as the contracts narrow it (media 5.7, songs 5.3): one range, a
suffix, an open end, clamped; nothing to send is 416; several ranges, another unit and whatever
cannot be read as a range are answered with the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Final, NamedTuple

from host.web.error_bodies import error_of_status
from plugin_sdk import RangeNotSatisfiable

__all__ = ["Plan", "http_date", "parse_range", "plan"]

_ENTITY_TAG: Final = re.compile(r'(W/)?("[^"]*")')
_MAX_DIGITS: Final = 18  # beyond any size; keeps int() cheap whatever is sent


class Plan(NamedTuple):
    """What to send of a representation: ``length`` bytes from ``start``.

    ``status`` is 200, 206 or 304; ``headers`` are the validators, Accept-Ranges and
    Content-Range. Content-Length is ``length`` (none with 304)."""

    status: int
    start: int
    length: int
    headers: tuple[tuple[str, str], ...]


def plan(
    method: str,
    headers: Mapping[str, str],
    *,
    size: int,
    etag: str,
    modified: float | None = None,
) -> Plan:
    """Judges If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, If-Range and Range
    in the order of RFC 9110, 13.2.2.

    ``etag`` is the strong entity tag in its quotes, ``modified`` seconds since the epoch. A HEAD
    is answered as a GET without Range. Raises RangeNotSatisfiable with its Content-Range, and a
    StageboxError of status 412 for content that is not what the client wants to go on with.
    """
    if _replaced(headers, etag, modified):
        text = "The content is another one than the request names."
        raise error_of_status(412, "PRECONDITION_FAILED", text)
    date = http_date(modified)
    validators: tuple[tuple[str, str], ...] = (("ETag", etag), ("Accept-Ranges", "bytes"))
    if date is not None:
        validators = (*validators, ("Last-Modified", date))
    if _unchanged(headers, etag, modified):
        return Plan(304, 0, 0, validators)
    wanted = headers.get("range") if method == "GET" else None
    # A date in If-Range would need to be a strong validator (RFC 9110, 13.1.5); ours has the
    # resolution of a second and is not, so only the tag counts.
    if wanted is None or headers.get("if-range", etag).strip() != etag:
        return Plan(200, 0, size, validators)
    span = parse_range(wanted, size)
    if span is None:
        return Plan(200, 0, size, validators)
    start, length = span
    content_range = ("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
    return Plan(206, start, length, (*validators, content_range))


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """``(start, length)`` of a Range header over ``size`` bytes; None where the whole is meant.

    Raises RangeNotSatisfiable for a range that holds no byte of the content or is inverted."""
    unit, equals, text = header.strip().partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    first, dash, last = text.partition("-")
    if not dash or not (first or last):
        return None
    if not all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last)):
        return None  # several ranges, blanks, words
    if not first:
        length = min(_number(last), size)
        if not length:
            raise _unsatisfiable(size)
        return size - length, length
    start = _number(first)
    stop = min(_number(last) + 1, size) if last else size
    if start >= stop:
        raise _unsatisfiable(size)
    return start, stop - start


@lru_cache(maxsize=512)
def http_date(seconds: float | None) -> str | None:
    """``Sun, 06 Nov 1994 08:49:37 GMT``; None for a time that has no such form."""
    if seconds is None:
        return None
    try:
        return formatdate(int(seconds), usegmt=True)
    except (ValueError, OverflowError, OSError):
        return None


def _number(digits: str) -> int:
    short = digits.lstrip("0")
    return int(short or "0") if len(short) <= _MAX_DIGITS else int("9" * (_MAX_DIGITS + 1))


def _unsatisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})


def _replaced(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    tags = headers.get("if-match")
    if tags is not None:
        # Strong comparison (RFC 9110, 13.1.1): one with W/ never matches.
        return tags.strip() != "*" and not any(
            found[2] == etag and not found[1] for found in _ENTITY_TAG.finditer(tags)
        )
    since = _moment(headers.get("if-unmodified-since"))
    return since is not None and modified is not None and int(modified) > since


def _unchanged(headers: Mapping[str, str], etag: str, modified: float | None) -> bool:
    tags = headers.get("if-none-match")
    if tags is not None:
        # Weak comparison (RFC 9110, 8.8.3.2): a W/ before a tag does not matter.
        return tags.strip() == "*" or any(found[2] == etag for found in _ENTITY_TAG.finditer(tags))
    since = _moment(headers.get("if-modified-since"))
    return since is not None and modified is not None and int(modified) <= since


def _moment(date: str | None) -> float | None:
    """Seconds since the epoch; None for what is no HTTP date, which counts for nothing (RFC 9110,
    13.1.3 and 13.1.4)."""
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
