"""What this plugin tells other plugins, or asks of them."""

from __future__ import annotations

from typing import Any

from plugin_sdk import hookspec

__all__ = ["RoomsHooks"]


class RoomsHooks:
    """Hook specifications of ``rooms`` (local REST contract, 7.4). ``kind`` is ``room``, ``user``,
    ``member``, ``message``, ``reaction``, ``attachment`` or ``ban``; the id of a member or a ban
    is ``<room id>/<user id>``. A hook that fails is logged and changes no answer."""

    @hookspec
    def rooms_seed(self, store: Any) -> None:
        """Put rooms, users or messages into ``store`` (the service ``rooms.store``), once at
        start. Saving what is there already replaces it."""

    @hookspec
    def rooms_saved(self, kind: str, id: str, doc: Any) -> None:
        """Something was made or changed. Called after the commit, in the process that wrote;
        ``doc`` is the object as it is now."""

    @hookspec
    def rooms_removed(self, kind: str, id: str) -> None:
        """Something is gone. Called after the commit, in the process that wrote."""
