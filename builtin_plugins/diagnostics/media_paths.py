"""What the media contract asks of all its paths: headers, error bodies, guards (3.1, 3.2, 3.5,
3.7)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from plugin_sdk import NotFound, Permissions, Providers, Request, StageboxError
from plugin_sdk.management import SettingsManagement

__all__ = ["MediaPaths", "error_envelope", "is_api_path"]

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_DEFAULT_VERSION: Final = "0.3.0"
_KINDS: Final = {
    400: "Validation failed",
    404: "Route not found",
    413: "Payload too large",
}
"""Where the contract has other words than HTTP."""


def is_api_path(path: str) -> bool:
    return path.startswith("/api/v1/")


def error_envelope(error: StageboxError, request: Request) -> dict[str, Any]:
    """The error body below ``/api/v1``."""
    kind = _KINDS.get(error.status) or HTTPStatus(error.status).phrase.capitalize()
    message = error.message
    if error.status in (404, 405):
        message = f"Cannot {request.method} {request.target or request.path}"
    elif error.status == 500:
        message = "An unexpected error occurred"
    body: dict[str, Any] = {"success": False, "error": kind, "message": message}
    if error.details and error.status == 400:
        named = [(each.path, f"{each.path} {each.message}".strip()) for each in error.details]
        body["details"] = [{"field": path, "message": text} for path, text in named]
        body["message"] = named[0][1]
    return body


class MediaPaths:
    """Asks the settings of the plugin ``media``, whether that is active or not."""

    def __init__(
        self, settings: SettingsManagement, providers: Providers, permissions: Permissions
    ) -> None:
        self._settings = settings
        self._providers = providers
        self._permissions = permissions

    @property
    def version(self) -> str:
        """The setting ``apiVersion`` of media."""
        return str(self._setting("apiVersion") or _DEFAULT_VERSION)

    @property
    def headers(self) -> dict[str, str]:
        return {**_HEADERS, "X-API-Version": self.version}

    def guard(self, request: Request) -> None:
        """The log is for administrators once route guards are in effect. Raises Unauthenticated,
        Forbidden."""
        if self._setting("enableRouteGuards") is True and self._is_governed():
            self._permissions.require(request.principal, "MANAGE_SETTINGS")

    def _is_governed(self) -> bool:
        """Whether there is anybody who could open it: the first profile is an administrator."""
        return any(provider.governs() for provider in self._providers.chain("auth"))

    def _setting(self, name: str) -> Any:
        try:
            return self._settings.values("media").get(name)
        except NotFound:
            return None
