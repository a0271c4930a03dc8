"""What the plugin layer needs from above, and the limits that an administrator sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from host.plugins.catalog import Catalog, Published
from plugin_sdk import Logger

__all__ = ["Limits", "Stage"]


@dataclass(slots=True)
class Limits:
    """Seconds and counts; settings of the plugin ``plugin_admin`` may change them at any time."""

    setup_timeout: float = 10.0
    drain: float = 10.0
    quarantine_failures: int = 100


@dataclass(frozen=True)
class Stage:
    """What the manager needs from above.

    ``offer`` makes providers and services of a catalog visible; ``publish`` everything: routes,
    listeners, jobs too, in one switch. ``withdrawn`` is called when gates have closed, so that
    open sockets end. ``emit`` tells host events.
    """

    offer: Callable[[Catalog], object]
    publish: Callable[[Catalog], object]
    withdrawn: Callable[[], object]
    emit: Callable[[str, Mapping[str, Any]], object]
    log_for: Callable[[str], Logger]
    host_paths: tuple[str, ...]
    check: Callable[[Published], object] = lambda _published: None
    """Raises Invalid when a plugin's routes cannot be mounted."""
