"""Errors of the host itself, beside those of the SDK."""

from __future__ import annotations

from pathlib import Path

from plugin_sdk import StageboxError

__all__ = ["ConfigurationError"]


class ConfigurationError(StageboxError):
    """What the operator configured cannot be used; the host does not start with it.

    ``file`` and ``key`` say where (None and "" when it is neither). The message names both.
    """

    default_code = "CONFIGURATION_ERROR"
    default_message = "The configuration cannot be used."

    def __init__(self, message: str = "", *, file: Path | None = None, key: str = "") -> None:
        super().__init__(message)
        self.file = file
        self.key = key
