"""What this plugin tells other plugins."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_sdk import hookspec

__all__ = ["LocalApiHooks"]


class LocalApiHooks:
    """Hook specifications of ``local_api`` (local REST contract, 7.4). A hook that fails is
    logged and keeps nobody from being told."""

    @hookspec
    def local_api_started(self, addresses: Sequence[str]) -> None:
        """The local API answers now, at these addresses (URLs without a slash at the end)."""

    @hookspec
    def local_api_stopped(self) -> None:
        """The local API stops answering: the host stops, or local_api is switched off. Called
        once for each `local_api_started`."""
