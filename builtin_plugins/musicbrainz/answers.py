"""From the server's JSON to what a metadata provider answers."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from plugin_sdk import MediaMetadata

__all__ = ["album", "artist", "best", "folded", "song"]

SOURCE: Final = "MUSICBRAINZ"
_LEAST_SCORE: Final = 80
_GENRES: Final = 10
_LARGEST: Final = 2**53

Entity = Mapping[str, Any]


def folded(value: str) -> str:
    """For comparing names: without accents, case, punctuation and doubled blanks."""
    plain = unicodedata.normalize("NFKD", value.casefold())
    kept = (c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def best(found: Any, title: str, credit: str, year: int | None) -> Entity | None:
    """Of a search's results (best first) the one with this name; of several the one of the year.
    ``credit`` is the artist's name, empty when it does not matter."""
    fitting = [each for each in _objects(found) if _fits(each, title, credit)]
    of_year = (each for each in fitting if year is not None and _year(each) == year)
    return next(of_year, None) or next(iter(fitting), None)


def song(entity: Entity) -> MediaMetadata | None:
    """Of a recording."""
    stated = _number(entity.get("length"))
    length = stated if stated is not None and stated > 0 else None
    releases = _objects(entity.get("releases"))
    first = releases[0] if releases else {}
    minutes = math.ceil(length / 60_000) if length else None
    return _metadata(
        entity,
        "title",
        runtime_minutes=minutes,
        extra={
            "artistId": _artist_id(entity),
            "album": _text(first.get("title")),
            "albumId": _text(first.get("id")),
            "lengthSeconds": length / 1000 if length else None,
        },
    )


def album(entity: Entity) -> MediaMetadata | None:
    """Of a release group."""
    kind = _text(entity.get("primary-type"))
    return _metadata(entity, "title", extra={"artistId": _artist_id(entity), "type": kind})


def artist(entity: Entity) -> MediaMetadata | None:
    span = entity.get("life-span")
    begin = span.get("begin") if isinstance(span, dict) else None
    country = _text(entity.get("country"))
    extra = {"country": country, "type": _text(entity.get("type")), "begin": _text(begin)}
    return _metadata(entity, "name", extra=extra)


def _metadata(
    entity: Entity, name: str, *, extra: dict[str, Any], runtime_minutes: int | None = None
) -> MediaMetadata | None:
    """None for what is no entity."""
    identity, title = _text(entity.get("id")), _text(entity.get(name))
    if not identity or not title:
        return None
    credit = _credit(entity)
    released = _text(entity.get("first-release-date"))
    facts = {**extra, "artist": credit, "year": _year(entity)}
    return MediaMetadata(
        ids={SOURCE: identity},
        title=title,
        overview=_text(entity.get("disambiguation")),
        release_date=_date(released),
        rating=_rating(entity.get("rating")),
        runtime_minutes=runtime_minutes,
        genres=_genres(entity),
        creator=credit,
        extra={key: value for key, value in facts.items() if value is not None},
    )


def _fits(entity: Entity, title: str, credit: str) -> bool:
    score = _number(entity.get("score"))
    name = _text(entity.get("title")) or _text(entity.get("name")) or ""
    if score is not None and score < _LEAST_SCORE:
        return False
    if folded(name) != folded(title):
        return False
    return not credit or folded(credit) in folded(_credit(entity) or "")


def _credit(entity: Entity) -> str | None:
    """Artists as they are credited: names and what joins them."""
    parts = []
    for each in _objects(entity.get("artist-credit")):
        credited = _text(each.get("name")) or ""
        joined = each.get("joinphrase")
        parts.append(credited + (joined if isinstance(joined, str) else ""))
    return "".join(parts).strip() or None


def _artist_id(entity: Entity) -> str | None:
    credits = _objects(entity.get("artist-credit"))
    found = credits[0].get("artist") if credits else None
    return _text(found.get("id")) if isinstance(found, dict) else None


def _genres(entity: Entity) -> tuple[str, ...]:
    """By votes; genres if there are any, else tags."""
    found = _objects(entity.get("genres")) or _objects(entity.get("tags"))
    ordered = sorted(found, key=lambda each: -(_number(each.get("count")) or 0))
    names: Iterable[str | None] = (_text(each.get("name")) for each in ordered)
    return tuple(dict.fromkeys(name for name in names if name))[:_GENRES]


def _rating(value: Any) -> float | None:
    """Theirs is 0 to 5, ours 0 to 10."""
    stars = _number(value.get("value")) if isinstance(value, dict) else None
    return None if stars is None or not 0 <= stars <= 5 else stars * 2


def _date(value: str | None) -> date | None:
    """Only a whole date: their dates may be a year, or a year and a month."""
    try:
        return date.fromisoformat(value) if value and len(value) == 10 else None
    except ValueError:
        return None


def _year(entity: Entity) -> int | None:
    word = (_text(entity.get("first-release-date")) or "")[:4]
    return int(word) if len(word) == 4 and word.isascii() and word.isdigit() else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None
