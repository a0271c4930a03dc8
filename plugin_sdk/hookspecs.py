"""The hook specifications: all questions that the host asks a plugin.

`plugin_sdk.Plugin` answers them from decorators, so most plugins never name one. The host asks
each plugin by itself: an exception is laid to that plugin alone, and nobody waits for it longer
than ``setupTimeoutSeconds``.

Order in a plugin's life: `check`, `migrations`, `enable`, then the contributions (`routes`,
`filters`, `providers`, `subscriptions`, `jobs`, `commands`, `pages`), all of which appear in one
switch; at the end `disable`. `diagnostics`, `holds`, `purge` and `decide` are asked while it is
active.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import pluggy

from plugin_sdk.access import Principal

if TYPE_CHECKING:
    from plugin_sdk.commands import Command
    from plugin_sdk.database import Migration
    from plugin_sdk.events import Subscription
    from plugin_sdk.filters import RequestFilter
    from plugin_sdk.jobs import Job
    from plugin_sdk.pages import Page, Panel
    from plugin_sdk.providers import Provider
    from plugin_sdk.routes import Route, WebSocketRoute

__all__ = ["HOOK_NAMES", "PROJECT", "PurgeScope", "hookimpl", "hookspec"]

PROJECT: Final = "stagebox"

PurgeScope = Literal["data", "all"]

hookspec: Final[pluggy.HookspecMarker] = pluggy.HookspecMarker(PROJECT)
hookimpl: Final[pluggy.HookimplMarker] = pluggy.HookimplMarker(PROJECT)


@hookspec
def check() -> Iterable[str] | None:
    """What keeps this plugin from working here (a program that is missing, a bad setting), one
    sentence each. Any sentence fails the start; nothing was changed then."""


@hookspec
def migrations() -> Sequence[Migration]:  # type: ignore[empty-body]
    """The steps that bring this plugin's data to the present shape, oldest first. Steps are never
    removed, renamed or put in another order."""


@hookspec
def enable() -> None:
    """Begin to work: open what is needed, offer services. Raising fails the start, and `disable`
    is called to undo what was done so far."""


@hookspec
def disable() -> None:
    """Stop: end threads, close files. Called once after everything of the plugin was withdrawn
    and its calls have ended; data stay."""


@hookspec
def routes() -> Sequence[Route | WebSocketRoute]:  # type: ignore[empty-body]
    """HTTP and WebSocket routes."""


@hookspec
def filters() -> Sequence[RequestFilter]:  # type: ignore[empty-body]
    """What stands before all routes below some paths, those of other plugins included. Bundled
    plugins only."""


@hookspec
def providers() -> Sequence[Provider]:  # type: ignore[empty-body]
    """Implementations of what the manifest declares under ``providers``."""


@hookspec
def subscriptions() -> Sequence[Subscription]:  # type: ignore[empty-body]
    """Event handlers."""


@hookspec
def jobs() -> Sequence[Job]:  # type: ignore[empty-body]
    """Kinds of jobs."""


@hookspec
def commands() -> Sequence[Command]:  # type: ignore[empty-body]
    """Sub-commands of ``stagebox``."""


@hookspec
def pages() -> Sequence[Page | Panel]:  # type: ignore[empty-body]
    """Pages for people, beside those of the manifest, and panels for the admin's desk."""


@hookspec
def diagnostics() -> Mapping[str, Any] | str | bytes | None:
    """What helps somebody who looks for a fault, for a diagnostics bundle. No secrets."""


@hookspec
def holds(plugin_id: str) -> Mapping[str, int]:  # type: ignore[empty-body]
    """What this plugin keeps on behalf of another one, whether that is installed or not: rows by
    what they are, in words for people. An administrator sees it before a `purge`."""


@hookspec
def purge(plugin_id: str, scope: PurgeScope) -> int:  # type: ignore[empty-body]
    """Remove, in one transaction, what this plugin keeps on behalf of another one, whether that
    is installed or not; return the number of rows. Its own data are removed by the host. The scope
    ``data`` leaves what people decided about it, permissions that they granted say; ``all`` leaves
    nothing."""


@hookspec
def decide(principal: Principal, permission: str, resources: Sequence[Any]) -> bool | None:
    """May this principal do this to all of these resources? False denies whatever was granted,
    True allows, None leaves it to the others and to the granted permissions."""


HOOK_NAMES: Final = (
    "check",
    "migrations",
    "enable",
    "disable",
    "routes",
    "filters",
    "providers",
    "subscriptions",
    "jobs",
    "commands",
    "pages",
    "diagnostics",
    "holds",
    "purge",
    "decide",
)
"""All of the above, in the order in which a plugin meets them."""
