"""Who may write what through the store (local REST contract, section 7.3)."""

from __future__ import annotations

from typing import Final

from plugin_sdk import Forbidden, Permissions, Principal

__all__ = ["WRITE_ALL", "WRITE_META", "Guard", "PluginGuard"]

WRITE_ALL: Final = "plugin_data:write-all"
WRITE_META: Final = "plugin_data:write-meta"


class Guard:
    """Lets everything pass: for code that acts for the operator, such as an import."""

    def data(self, plugin_id: str) -> None:
        """Before data under this id are written. Raises Forbidden."""

    def all_data(self) -> None:
        """Before data under all ids are written. Raises Forbidden."""

    def meta(self) -> None:
        """Before meta is written. Raises Forbidden."""


class PluginGuard(Guard):
    """For a plugin that acts for a principal: its own id is its own."""

    def __init__(self, plugin_id: str, principal: Principal, permissions: Permissions) -> None:
        self._plugin_id = plugin_id
        self._principal = principal
        self._permissions = permissions

    def data(self, plugin_id: str) -> None:
        if plugin_id != self._plugin_id:
            self._need(WRITE_ALL, f"{self._plugin_id} may write under its own id only")

    def all_data(self) -> None:
        self._need(WRITE_ALL, f"{self._plugin_id} may write under its own id only")

    def meta(self) -> None:
        self._need(WRITE_META, f"{self._plugin_id} may not write meta")

    def _need(self, permission: str, why: str) -> None:
        if not self._permissions.allowed(self._principal, permission):
            raise Forbidden(f"Missing permission: {permission} ({why}).")
