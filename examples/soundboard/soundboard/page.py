"""The page that people see. All that moves on it is in ``static/``."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from string import Template
from typing import Final

__all__ = ["BoardPage"]

HERE: Final = Path(__file__).parent


class BoardPage:
    """The page, with everything filled in that stays the same while the plugin runs."""

    def __init__(self, base: str) -> None:
        manifest = json.loads((HERE / "plugin.json").read_text(encoding="utf-8"))
        # With the version in their address, script and style may be cached for good.
        static = {"base": base, "version": manifest["version"]}
        page = Template((HERE / "board.html").read_text(encoding="utf-8"))
        self._template = Template(page.safe_substitute(static))

    def render(self, *, title: str, volume: float, max_bytes: int, can_edit: bool) -> str:
        """HTML. ``volume`` is from 0 to 1; ``can_edit`` shows what changes the board."""
        return self._template.substitute(
            title=escape(title),
            volume=volume,
            max_bytes=max_bytes,
            max_size=f"{max_bytes / 2**20:.3g} MiB",
            can_edit="true" if can_edit else "false",
        )
