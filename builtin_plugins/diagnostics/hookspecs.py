"""What this plugin asks other plugins, beside the host's hook ``diagnostics``."""

from __future__ import annotations

from collections.abc import Iterable

from plugin_sdk import hookspec

__all__ = ["DiagnosticsHooks"]


class DiagnosticsHooks:
    """Hook specifications of ``diagnostics``."""

    @hookspec
    def diagnostics_song_names(self) -> Iterable[str]:  # type: ignore[empty-body]
        """File names (without folders) in the library, which a redacted bundle must not show."""
