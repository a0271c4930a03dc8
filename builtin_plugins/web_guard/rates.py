"""The numbers of the rate limit: from the environment, else from the settings."""

from __future__ import annotations

from collections.abc import Mapping

from plugin_sdk import Logger, Settings

__all__ = ["Rates"]


class Rates:
    """``RATE_LIMIT_WINDOW_MS`` and ``RATE_LIMIT_MAX`` are read once; they win over the settings.
    What is no whole number in its range is ignored, with a warning."""

    def __init__(self, environment: Mapping[str, str], settings: Settings, log: Logger) -> None:
        self._settings = settings
        self._window = _number(environment, "RATE_LIMIT_WINDOW_MS", 1, log)
        self._max = _number(environment, "RATE_LIMIT_MAX", 0, log)

    @property
    def window(self) -> int:
        """Milliseconds."""
        return int(self._settings["rateLimitWindowMs"]) if self._window is None else self._window

    @property
    def limit(self) -> int:
        """Requests in a window; 0: as many as they like."""
        return int(self._settings["rateLimitMax"]) if self._max is None else self._max


def _number(environment: Mapping[str, str], name: str, least: int, log: Logger) -> int | None:
    text = environment.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 15 and int(text) >= least:
        return int(text)
    log.warning("%s is ignored: a whole number of at least %d is wanted.", name, least)
    return None
