"""The base class of all plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, ClassVar

from plugin_sdk.access import Principal
from plugin_sdk.commands import Command, command_declaration
from plugin_sdk.context import Context
from plugin_sdk.database import Migration, migration_name
from plugin_sdk.errors import StageboxError
from plugin_sdk.events import Subscription, event_names
from plugin_sdk.filters import RequestFilter
from plugin_sdk.hookspecs import HOOK_NAMES, PurgeScope, hookimpl
from plugin_sdk.http import Request
from plugin_sdk.jobs import Job, job_declaration
from plugin_sdk.pages import Page, Panel
from plugin_sdk.providers import Provider
from plugin_sdk.routes import Route, WebSocketRoute, route_declarations

__all__ = ["Plugin"]


class Plugin:
    """A plugin: routes, event handlers, jobs and commands are its decorated methods.

    The host makes one instance for each host and hands it a context; tests do the same with
    ``plugin_sdk.testing.FakeContext``. Override any method named like a hook specification to
    answer that hook yourself (call ``super()`` to keep what the decorators say). Other methods
    answer hooks of other plugins with ``@hookimpl``.

    ``hookspecs``: modules or classes with hook specifications that this plugin defines for
    others; see ``context.hooks``.

    ``guarded``: the path prefixes that `guard` is asked about; what is not below one of them is
    spared the question.
    """

    hookspecs: ClassVar[Sequence[ModuleType | type]] = ()
    guarded: ClassVar[Sequence[str]] = ("/",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__:  # a mixin need not be a Plugin itself
            for name in HOOK_NAMES:
                method = base.__dict__.get(name)
                if callable(method):
                    hookimpl(method)

    @hookimpl
    def check(self) -> Iterable[str] | None:
        return None

    @hookimpl
    def migrations(self) -> Sequence[Migration]:
        found = ((name, method) for method in self._methods() if (name := migration_name(method)))
        return [Migration(name, method) for name, method in found]

    @hookimpl
    def enable(self) -> None:
        return None

    @hookimpl
    def disable(self) -> None:
        return None

    @hookimpl
    def routes(self) -> Sequence[Route | WebSocketRoute]:
        return [
            replace(declared, handler=method)
            for method in self._methods()
            for declared in route_declarations(method)
        ]

    @hookimpl
    def filters(self) -> Sequence[RequestFilter]:
        return []

    @hookimpl
    def providers(self) -> Sequence[Provider]:
        return []

    @hookimpl
    def subscriptions(self) -> Sequence[Subscription]:
        return [
            Subscription(name, method) for method in self._methods() for name in event_names(method)
        ]

    @hookimpl
    def jobs(self) -> Sequence[Job]:
        declared = ((job_declaration(method), method) for method in self._methods())
        return [replace(job, handler=method) for job, method in declared if job is not None]

    @hookimpl
    def commands(self) -> Sequence[Command]:
        declared = ((command_declaration(method), method) for method in self._methods())
        return [replace(found, handler=method) for found, method in declared if found is not None]

    @hookimpl
    def pages(self) -> Sequence[Page | Panel]:
        return []

    @hookimpl
    def diagnostics(self) -> Mapping[str, Any] | str | bytes | None:
        return None

    @hookimpl
    def holds(self, plugin_id: str) -> Mapping[str, int]:
        return {}

    @hookimpl
    def purge(self, plugin_id: str, scope: PurgeScope) -> int:
        return 0

    @hookimpl
    def decide(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        return None

    def guard(self, request: Request) -> None:
        """Asked before anything else is judged about a request below the plugin's prefixes,
        unknown paths and methods included; raise to refuse it.

        ``request.principal`` is who the token stands for, if one was sent; the body is not read.
        """

    def error_body(self, error: StageboxError, request: Request) -> Any:
        """The JSON body of an error on this plugin's routes, for contracts that want another
        shape than ``{"error", "message", "details"}``; a `Response` where its Content-Type differs
        too (its status and headers do not count). It is asked for unknown paths and methods below
        the plugin's prefixes, and for what the server refuses early. None keeps the host's
        shape."""
        return None

    def _methods(self) -> Iterator[Any]:
        """Bound methods in order of definition, those of base classes first, each name once."""
        seen: dict[str, None] = {}
        for cls in reversed(type(self).__mro__):
            for name, value in vars(cls).items():
                if callable(value) and not name.startswith("__"):
                    seen.setdefault(name)
        for name in seen:
            method = getattr(self, name, None)
            if callable(method):
                yield method
