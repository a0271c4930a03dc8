"""Pages: what a plugin shows to people in a browser."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Page"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page for people, listed in the admin's desk by ``order``, then title.

    ``path`` is a route of this plugin that answers HTML, appended to the plugin's prefix like
    every route path.
    """

    path: str
    title: str
    icon: str = ""
    order: int = 100
