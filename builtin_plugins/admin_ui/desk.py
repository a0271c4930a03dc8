"""Which pages the desk has, and who may open which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DESK", "PERMISSIONS", "DeskPage", "page_named"]

PERMISSIONS: Final = (
    "ADMIN",
    "MANAGE_PLUGINS",
    "MANAGE_SETTINGS",
    "MANAGE_PROFILES",
    "MANAGE_PERMISSIONS",
)
"""What the pages ask for; a page offers nothing that its visitor may not do."""


@dataclass(frozen=True, slots=True)
class DeskPage:
    """``name`` is its template, its script and its path below /admin; whoever holds one of
    ``permissions`` may open it."""

    name: str
    title: str
    permissions: tuple[str, ...] = ("ADMIN",)
    listed: bool = True

    @property
    def path(self) -> str:
        return "/admin" if self.name == "overview" else f"/admin/{self.name}"


DESK: Final = (
    DeskPage("overview", "Overview"),
    DeskPage("plugins", "Plugins", ("MANAGE_PLUGINS", "MANAGE_SETTINGS")),
    DeskPage("plugin", "Plugin", ("MANAGE_PLUGINS", "MANAGE_SETTINGS"), listed=False),
    DeskPage("jobs", "Jobs"),
    DeskPage("logs", "Logs"),
    DeskPage("providers", "Providers", ("MANAGE_SETTINGS",)),
    DeskPage("people", "People", ("MANAGE_PROFILES", "MANAGE_PERMISSIONS")),
    DeskPage("audit", "Audit"),
    DeskPage("backups", "Backups"),
    DeskPage("help", "Help", PERMISSIONS),
)


def page_named(name: str) -> DeskPage | None:
    return next((page for page in DESK if page.name == name and page.listed), None)
