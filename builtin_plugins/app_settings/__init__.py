"""Settings that clients share, and all settings of all plugins as one file (plugin contract, 7)."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.app_settings.document import SharedSettings
from builtin_plugins.app_settings.exporting import SettingsExport
from builtin_plugins.app_settings.importing import SettingsImport
from builtin_plugins.app_settings.shapes import CHANGES, IMPORTED, SETTINGS
from plugin_sdk import MULTIPART, Invalid, Plugin, Problem, Request, Response, route

__all__ = ["AppSettings", "plugin"]

_MAX_BUNDLE: Final = 10 * 1024 * 1024
_TAGS: Final = ("Settings",)
_CHANGES: Final = {  # judged by `SharedSettings`, which knows of folders too and tells everything
    "requestBody": {"content": {"application/json": {"schema": CHANGES}}}
}
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class AppSettings(Plugin):
    def enable(self) -> None:
        services, own_id = self.context.services, self.context.plugin_id
        settings = services.get("host.settings")
        self._shared = SharedSettings(settings, own_id)
        self._import = SettingsImport(settings, self._shared)
        self._export = SettingsExport(
            services.get("host.info"),
            services.get("host.plugins"),
            settings,
            self._shared,
            self.context.clock,
        )

    @route("GET", "/api/settings", access="open", returns=SETTINGS, tags=_TAGS)
    def get_settings(self, request: Request) -> Any:
        """The settings that clients share"""
        return self._shared.values()

    @route(
        "POST",
        "/api/settings",
        permission="MANAGE_SETTINGS",
        body={},
        body_required=False,
        returns=SETTINGS,
        errors=(400, 401, 403, 409, 413, 415),
        extra=_CHANGES,
        tags=_TAGS,
    )
    def change_settings(self, request: Request) -> Any:
        """Change some of them; null returns one to its default"""
        changes = {} if request.body is None else request.json(unique_keys=True)
        if not isinstance(changes, dict):
            message = "must be a JSON object"
            raise Invalid(f"The body {message}.", details=[Problem("", message)])
        return self._shared.update(changes)

    @route("GET", "/api/settings/export", errors=(401,), tags=_TAGS)
    def export_settings(self, request: Request) -> Response:
        """All settings of all plugins as a ZIP file, secrets left out"""
        headers = {
            "Content-Disposition": f'attachment; filename="{self._export.filename()}"',
            "Cache-Control": "no-store",
        }
        return Response.data(self._export.bundle(), "application/zip", headers=headers)

    @route(
        "POST",
        "/api/settings/import",
        permission="MANAGE_SETTINGS",
        consumes=MULTIPART,
        max_body=_MAX_BUNDLE,
        returns=IMPORTED,
        errors=(400, 401, 403, 413, 415),
        tags=_TAGS,
        extra=_FORM,
    )
    def import_settings(self, request: Request) -> Any:
        """Take settings from such a file, all of them or none

        Keys that a file does not mention go back to their default; secrets stay."""
        assert request.form is not None
        return self._import.take(request.form.file("file").file)


plugin = AppSettings
