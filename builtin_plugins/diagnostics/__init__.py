"""Finding faults: health, the log, and a bundle of everything that helps.

Offers the hook ``diagnostics_song_names`` to other plugins; see `hookspecs`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar, Final

from builtin_plugins.diagnostics.export import Exporter
from builtin_plugins.diagnostics.following import LogFollowing
from builtin_plugins.diagnostics.health import HEALTH, Health
from builtin_plugins.diagnostics.hookspecs import DiagnosticsHooks
from builtin_plugins.diagnostics.log_query import MOST, read_log_query
from builtin_plugins.diagnostics.media_paths import MediaPaths, error_envelope, is_api_path
from builtin_plugins.diagnostics.records import LEVELS, LogBook
from builtin_plugins.diagnostics.wanted import BODY, Wanted
from plugin_sdk import Plugin, Request, Response, StageboxError, route

__all__ = ["Diagnostics", "plugin"]

_MAX_BODY: Final = 16 * 1024 * 1024
_LOG_QUERY: Final = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 100},
    },
    {"name": "level", "in": "query", "schema": {"type": "string", "enum": list(LEVELS)}},
]
_LOGS: Final = {
    "type": "object",
    "required": ["success", "data"],
    "properties": {
        "success": {"const": True},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["timestamp", "level", "message"],
                "properties": {
                    "timestamp": {"type": "string", "examples": ["2026-05-01 12:00:00"]},
                    "level": {"enum": list(LEVELS)},
                    "message": {"type": "string"},
                    "meta": {"type": "object"},
                },
            },
        },
    },
}
_CLEARED: Final = {
    "type": "object",
    "required": ["success", "message"],
    "properties": {
        "success": {"const": True},
        "message": {"type": "string", "examples": ["Logs cleared successfully"]},
    },
}


class Diagnostics(Plugin):
    hookspecs: ClassVar = (DiagnosticsHooks,)

    def enable(self) -> None:
        context, services = self.context, self.context.services
        info, plugins = services.get("host.info"), services.get("host.plugins")
        settings = services.get("host.settings")
        self._media = MediaPaths(settings, context.providers, context.permissions)
        self._health = Health(info, plugins, services, context.data, context.clock)
        self._log_book = LogBook(info, context.data, context.settings)
        self._following = LogFollowing(info, context.settings, context.realtime)
        self._following.start()
        context.settings.on_change(lambda _names: self._following.start())
        self._exporter = Exporter(
            info=info,
            plugins=plugins,
            settings=settings,
            hooks=context.hooks,
            clock=context.clock,
            env=os.environ,
            home=_home(),
        )

    def disable(self) -> None:
        self._following.stop()

    def guard(self, request: Request) -> None:
        if is_api_path(request.path):
            self._media.guard(request)

    def error_body(self, error: StageboxError, request: Request) -> Any:
        return error_envelope(error, request) if is_api_path(request.path) else None

    @route("GET", "/health", access="open", returns=HEALTH, errors=(503,), tags=["Health"])
    def health(self, request: Request) -> Response:
        """Whether the server works, since when, and the states of all plugins"""
        status, body = self._health.now(self._media.version)
        return Response(body, status, self._media.headers)

    @route(
        "GET",
        "/api/v1/logs",
        access="open",
        returns=_LOGS,
        errors=(400, 401, 403),
        tags=["Logs"],
        extra={"parameters": _LOG_QUERY},
        trailing_slash=True,
    )
    def logs(self, request: Request) -> Response:
        """The newest records of the log, newest first"""
        found = self._log_book.newest(*read_log_query(request))
        return Response({"success": True, "data": found}, headers=self._media.headers)

    @route(
        "DELETE",
        "/api/v1/logs",
        access="open",
        returns=_CLEARED,
        errors=(401, 403),
        tags=["Logs"],
        trailing_slash=True,
    )
    def clear_logs(self, request: Request) -> Response:
        """List only later records from now on; the file stays as it is"""
        self._log_book.clear(self.context.clock.iso())
        body = {"success": True, "message": "Logs cleared successfully"}
        return Response(body, headers=self._media.headers)

    @route(
        "POST",
        "/api/diagnostics/export",
        body=BODY,
        body_required=False,
        max_body=_MAX_BODY,
        errors=(400, 401, 413, 415),
        tags=["Diagnostics"],
    )
    def export(self, request: Request) -> Response:
        """A ZIP file with everything that helps somebody who looks for a fault

        Folders, addresses, names of songs and secrets are replaced by marks unless ``redact`` is
        false."""
        content = self._exporter.export(Wanted.from_body(request.body))
        headers = {
            "Content-Disposition": 'attachment; filename="diagnostics.zip"',
            "Cache-Control": "no-store",
        }
        return Response.data(content, "application/zip", headers=headers)


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home
        return None


plugin = Diagnostics
