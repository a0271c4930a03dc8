"""Routes and commands of the read face."""

from __future__ import annotations

from builtin_plugins.rooms.store import RoomsStore
from plugin_sdk import Plugin, Request

__all__ = ["LocalFace"]


class LocalFace(Plugin):
    """A base of the plugin's class: its decorated methods are found like those of the front
    file."""

    store: RoomsStore

    def enable_local(self) -> None:
        return

    def disable_local(self) -> None:
        return

    def guard_local(self, request: Request) -> None:
        """Asked for paths below /api/ before anything else."""
