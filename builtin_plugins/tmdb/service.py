"""Where the service is, and how it is asked (media contract, 8.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plugin_sdk import Logger

__all__ = ["Defaults", "Service"]

_BASE_URL: Final = "https://api.themoviedb.org/3"
_IMAGE_BASE_URL: Final = "https://image.tmdb.org/t/p"
_RATE: Final = 4.0
_LEAST_RATE: Final = 0.1
_MOST_RATE: Final = 100.0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where the config of a row says nothing."""

    base_url: str = _BASE_URL
    image_base_url: str = _IMAGE_BASE_URL
    per_second: float = _RATE

    @classmethod
    def of_environment(cls, environment: Mapping[str, str], log: Logger) -> Defaults:
        """``TMDB_BASE_URL``, ``TMDB_IMAGE_BASE_URL``, ``METADATA_RATE_LIMIT_RPS``."""
        return cls(
            environment.get("TMDB_BASE_URL") or _BASE_URL,
            environment.get("TMDB_IMAGE_BASE_URL") or _IMAGE_BASE_URL,
            _rate(environment.get("METADATA_RATE_LIMIT_RPS"), log),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """``per_second`` requests a second; ``retries`` come beside the first try; ``timeout`` in
    seconds."""

    key: str
    base_url: str
    image_base_url: str
    per_second: float
    language: str
    retries: int
    timeout: float

    @classmethod
    def of_config(cls, config: Mapping[str, Any], defaults: Defaults) -> Service:
        """A config that fits the provider's schema."""
        return cls(
            key=str(config.get("apiKey") or "").strip(),
            base_url=str(config.get("baseUrl") or defaults.base_url).rstrip("/"),
            image_base_url=str(config.get("imageBaseUrl") or defaults.image_base_url).rstrip("/"),
            per_second=float(config.get("rateLimitRps") or defaults.per_second),
            language=str(config.get("language") or "en-US"),
            retries=int(config.get("retries", 3)),
            timeout=float(config.get("timeoutSeconds", 10)),
        )


def _rate(text: str | None, log: Logger) -> float:
    if not text:
        return _RATE
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if _LEAST_RATE <= rate <= _MOST_RATE:
        return rate
    log.warning(
        "METADATA_RATE_LIMIT_RPS is ignored: a number from %g to %g is wanted.",
        _LEAST_RATE,
        _MOST_RATE,
    )
    return _RATE
