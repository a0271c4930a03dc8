"""The answer of ``GET /health`` (media contract, 5.1)."""

from __future__ import annotations

from typing import Any, Final

from plugin_sdk import Clock, Data, Services, StageboxError
from plugin_sdk.management import HostInfo, PluginManagement

__all__ = ["HEALTH", "Health"]

HEALTH: Final[dict[str, Any]] = {
    "title": "ServerHealth",
    "type": "object",
    "required": ["status", "version", "timestamp", "uptime", "services"],
    "properties": {
        "status": {"enum": ["OK", "ERROR"]},
        "version": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "uptime": {"type": "number", "description": "Seconds since the start"},
        "services": {
            "type": "object",
            "properties": {
                "metadata_service": {"enum": ["healthy", "unreachable", "unknown"]},
                "scanner_service": {"enum": ["healthy", "unknown"]},
                "plugins": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}
_METADATA: Final = "media.metadata_state"
"""A service that the plugin media may offer: a callable that says how the last question to a
metadata provider went (``healthy``, ``unreachable``, ``unknown``)."""


class Health:
    """Asks nobody over the network."""

    def __init__(
        self,
        info: HostInfo,
        plugins: PluginManagement,
        services: Services,
        data: Data,
        clock: Clock,
    ) -> None:
        self._info = info
        self._plugins = plugins
        self._services = services
        self._data = data
        self._clock = clock

    def now(self, version: str) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        states = {entry.id: entry.state for entry in self._plugins.entries()}
        metadata = self._metadata_state()
        readable = metadata is not None and self._database_is_readable()
        scanner = "healthy" if states.get("media") == "active" else "unknown"
        return 200 if readable else 503, {
            "status": "OK" if readable else "ERROR",
            "version": version,
            "timestamp": self._clock.iso(),
            "uptime": max(0, self._clock.ms() - self._info.started_at) / 1000,
            "services": {
                "metadata_service": metadata or "unknown",
                "scanner_service": scanner,
                "plugins": states,
            },
        }

    def _database_is_readable(self) -> bool:
        try:
            self._data.get("logs_cleared_at")
        except StageboxError:
            return False
        return True

    def _metadata_state(self) -> str | None:
        """None when the database of media cannot be read."""
        state = self._services.find(_METADATA)
        if state is None:
            return "unknown"
        try:
            return str(state())
        except StageboxError:
            return None
