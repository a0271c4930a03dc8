"""What other plugins may answer (contract, 8.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugin_sdk import hookspec

__all__ = ["drops_check_module_data", "drops_received", "drops_sent", "drops_settings_changed"]


@hookspec
def drops_settings_changed(kind: str, path: str) -> None:
    """A document (``settings`` or ``synced``) was written; ``path`` is the key path of a PUT,
    empty when everything was replaced."""


@hookspec
def drops_received(
    message: Mapping[str, Any], contact: Mapping[str, Any] | None, identity: Mapping[str, Any]
) -> None:
    """A message entered the inbox; told once. ``contact`` (None for a stranger) and ``identity``
    have ``id``, ``alias`` and ``public_key``."""


@hookspec
def drops_sent(message: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    """A message was sent to at least one recipient."""


@hookspec
def drops_check_module_data(module: str, value: Mapping[str, Any]) -> str | None:
    """May a module's data become this? A sentence refuses the write. Asked inside the write, so
    answer at once."""
