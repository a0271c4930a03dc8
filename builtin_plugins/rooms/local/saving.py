"""The writing half of the service ``rooms.store`` (local REST contract, 7.3)."""

from __future__ import annotations

from builtin_plugins.rooms.core import Core

__all__ = ["Saving"]


class Saving:
    def __init__(self, core: Core) -> None:
        self._core = core

    def _bury(self, id: str) -> None:
        raise NotImplementedError

    def _edit(self, id: str, content: str) -> None:
        raise NotImplementedError
