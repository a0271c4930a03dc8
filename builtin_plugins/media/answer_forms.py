"""What providers answer as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any, Final

from plugin_sdk import EpisodeMetadata, MediaMetadata, Person, SeasonMetadata

__all__ = ["metadata_of", "plain", "season_of"]

_DATES: Final = ("release_date", "air_date")


def plain(value: Any) -> Any:
    """Objects by the names of their fields, without ``extra``; what is no such object stays as it
    is, and may be no JSON."""
    if isinstance(value, MediaMetadata | SeasonMetadata | EpisodeMetadata | Person):
        named = ((each.name, getattr(value, each.name)) for each in fields(value))
        return {name: plain(inner) for name, inner in named if name != "extra"}
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    return value


def metadata_of(held: Mapping[str, Any] | None) -> MediaMetadata | None:
    if held is None:
        return None
    made = _dated(held)
    made["genres"] = tuple(made["genres"])
    made["people"] = tuple(Person(**each) for each in made["people"])
    return MediaMetadata(**made)


def season_of(held: Mapping[str, Any] | None) -> SeasonMetadata | None:
    if held is None:
        return None
    made = _dated(held)
    made["episodes"] = tuple(EpisodeMetadata(**_dated(each)) for each in made["episodes"])
    return SeasonMetadata(**made)


def _dated(held: Mapping[str, Any]) -> dict[str, Any]:
    """With dates where dates belong; what is none was none before."""
    made = dict(held)
    for name in _DATES:
        if isinstance(made.get(name), str):
            try:
                made[name] = date.fromisoformat(made[name])
            except ValueError:
                made[name] = None
    return made
