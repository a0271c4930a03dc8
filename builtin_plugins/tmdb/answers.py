"""From the service's JSON to what a metadata provider answers. Whatever is absent, null or of the
wrong type counts as nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from plugin_sdk import EpisodeMetadata, MediaMetadata, Person, SeasonMetadata

__all__ = ["film_or_show", "first_id", "season"]

SOURCE: Final = "TMDB"
_POSTER: Final = "w500"
_BACKDROP: Final = "w1280"
_STILL: Final = "w300"

Found = Mapping[str, Any]


def first_id(results: Any) -> int | None:
    """Of a list of results; only the first one counts."""
    if not isinstance(results, list) or not results or not isinstance(results[0], dict):
        return None
    return _whole(results[0].get("id"))


def film_or_show(found: Found, kind: str, images: str) -> MediaMetadata | None:
    """Of the details of a film (``movie``) or a show (``tv``); ``images`` is the base of picture
    addresses. None for an answer without id or title."""
    film = kind == "movie"
    identity = _whole(found.get("id"))
    title = _text(found.get("title" if film else "name"))
    if identity is None or title is None:
        return None
    ids = {SOURCE: str(identity)}
    if (imdb := _text(found.get("imdb_id"))) is not None:
        ids["IMDB"] = imdb
    pictures = _object(found.get("images"))
    return MediaMetadata(
        ids=ids,
        title=title,
        overview=_text(found.get("overview")),
        release_date=_date(found.get("release_date" if film else "first_air_date")),
        rating=_rating(found.get("vote_average")),
        runtime_minutes=_whole(found.get("runtime")) or None,
        poster_url=_url(images, _POSTER, found.get("poster_path")),
        plain_poster_url=_picture(images, pictures.get("posters"), (None,)),
        backdrop_url=_url(images, _BACKDROP, found.get("backdrop_path")),
        logo_url=_picture(images, pictures.get("logos"), ("en", None)),
        genres=tuple(dict.fromkeys(_names(found.get("genres")))),
        people=tuple(_people(_object(found.get("credits")))),
        creator=next(iter(_names(found.get("created_by"))), None),
        network=next(iter(_names(found.get("networks"))), None),
    )


def season(found: Found, number: int, images: str) -> SeasonMetadata:
    """Of a season; episodes without a number are left out, and of two with one the second."""
    episodes: dict[int, EpisodeMetadata] = {}
    for each in _objects(found.get("episodes")):
        episode_number = _whole(each.get("episode_number"))
        if episode_number is not None:
            episodes.setdefault(episode_number, _episode(each, episode_number, images))
    return SeasonMetadata(
        season_number=number,
        name=_text(found.get("name")),
        overview=_text(found.get("overview")),
        air_date=_date(found.get("air_date")),
        poster_url=_url(images, _POSTER, found.get("poster_path")),
        episodes=tuple(episodes.values()),
    )


def _episode(found: Found, number: int, images: str) -> EpisodeMetadata:
    return EpisodeMetadata(
        episode_number=number,
        name=_text(found.get("name")),
        overview=_text(found.get("overview")),
        air_date=_date(found.get("air_date")),
        runtime_minutes=_whole(found.get("runtime")) or None,
        still_url=_url(images, _STILL, found.get("still_path")),
    )


def _people(credits: Found) -> Iterable[Person]:
    for each in _objects(credits.get("crew")):
        name = _text(each.get("name"))
        if name is not None and each.get("job") == "Director":
            yield Person(name, "DIRECTOR", None, _id_text(each))
    for each in _objects(credits.get("cast")):
        name = _text(each.get("name"))
        if name is not None:
            yield Person(name, "ACTOR", _text(each.get("character")), _id_text(each))


def _id_text(found: Found) -> str | None:
    identity = _whole(found.get("id"))
    return None if identity is None else str(identity)


def _picture(images: str, listed: Any, languages: tuple[str | None, ...]) -> str | None:
    """The first picture in the first of these languages that has any."""
    pictures = _objects(listed)
    for language in languages:
        for each in pictures:
            spoken = each.get("iso_639_1", "")
            if spoken == language and (url := _url(images, _POSTER, each.get("file_path"))):
                return url
    return None


def _url(images: str, size: str, path: Any) -> str | None:
    text = _text(path)
    if text is None:
        return None
    if text.startswith(("http://", "https://")):
        return text
    return f"{images}/{size}{text}" if text.startswith("/") else f"{images}/{size}/{text}"


def _names(listed: Any) -> list[str]:
    return [name for each in _objects(listed) if (name := _text(each.get("name"))) is not None]


def _objects(value: Any) -> list[Found]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _object(value: Any) -> Found:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**63 else None


def _rating(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= 10 else None


def _date(value: Any) -> date | None:
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
