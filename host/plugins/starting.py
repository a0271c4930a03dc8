"""Starting one plugin: import, check, migrate, enable, collect; each failure undoes the rest.

It runs on a thread of its own, so that one which hangs costs nobody else anything.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from traceback import walk_tb
from typing import Any, Final

from host.events import check_pattern
from host.jobs import JobKind, check_kinds
from host.plugins.catalog import Endpoint, Published, WebSocketEndpoint
from host.plugins.conflicts import full_path, provider_conflict, route_conflict
from host.plugins.context import PluginContext, Resources
from host.plugins.discovery import Found
from host.plugins.gate import Gate
from host.plugins.loading import Loader, NotAPlugin
from plugin_sdk import (
    Command,
    Database,
    Deprecation,
    Invalid,
    Job,
    Logger,
    Manifest,
    Migration,
    Page,
    Panel,
    Plugin,
    Provider,
    RequestFilter,
    Route,
    Subscription,
    WebSocketRoute,
)
from plugin_sdk.deprecation import loading_plugin
from plugin_sdk.management import PluginFault

__all__ = ["Failed", "Running", "Start", "fault_of", "one_line", "teardown"]

_PATHS: Final = re.compile(r"(?:/[\w.@+~-]+){2,}/?|[A-Za-z]:\\[^\s'\"]+")
_MAX_MESSAGE: Final = 300


class Failed(Exception):
    """A start that did not succeed; the fault goes on the plugin's record."""

    def __init__(self, fault: PluginFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(slots=True)
class Running:
    """A plugin at work: what was published of it, and what is needed to take it down."""

    published: Published
    plugin: Plugin
    context: PluginContext


def fault_of(
    code: str, stage: str, error: BaseException, log: Logger, folder: Path | None = None
) -> PluginFault:
    """One line about an exception, without absolute paths; the trace goes to the log. ``folder``
    is the plugin's."""
    incident = secrets.token_hex(6)
    log.error("%s failed (%s).", stage, code, exc_info=error, extra={"incident": incident})
    name = type(error).__name__
    text = str(error) if not isinstance(error, SystemExit) else f"sys.exit({error.code!r})"
    first = " ".join(text.split()) or "no message"
    where = _place_of(error, folder)
    message = f"{stage}: {name}: {first}{where}"
    return PluginFault(code, one_line(message), incident)


def one_line(message: str) -> str:
    """At most 300 characters, absolute paths cut down to their last name."""
    short = _PATHS.sub(lambda match: Path(match.group().rstrip("/")).name, message)
    return short if len(short) <= _MAX_MESSAGE else short[: _MAX_MESSAGE - 1] + "…"


def _place_of(error: BaseException, folder: Path | None) -> str:
    """File name and line of the innermost frame in the plugin's folder: what an author looks for
    first. Nothing for what says it itself, and for what never came that far."""
    if isinstance(error, SyntaxError) and error.filename:
        return ""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [each for each in frames if folder is None or Path(each[0]).is_relative_to(folder)]
    return f" ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else ""


@dataclass(slots=True)
class Start:
    """One attempt. `run` gives a `Running` or raises `Failed`."""

    found: Found
    manifest: Manifest
    resources: Resources
    loader: Loader
    gate: Gate
    log: Logger
    providers_taken: Mapping[tuple[str, str], str]
    before_migrations: Callable[[], object] = field(default=lambda: None)
    """Called when the data are about to change shape; an upgrade takes its snapshot then."""

    check_routes: Callable[[Published], object] = field(default=lambda _published: None)
    """Raises Invalid when the routes cannot be mounted."""

    _abandoned: bool = False
    _context: PluginContext | None = None
    _plugin: Plugin | None = None
    _enabled: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, timeout: float) -> Running:
        """Waits at most ``timeout`` seconds; a start that takes longer ends after the step that it
        is at, which changes no data then, and is torn down."""
        outcome: list[Running | BaseException] = []

        def work() -> None:
            try:
                outcome.append(self._run())
            except BaseException as error:  # SystemExit of foreign code included
                outcome.append(error)
            with self._lock:
                late = self._abandoned
            if late:
                self._undo(timeout)

        thread = threading.Thread(target=work, name=f"start {self.manifest.id}", daemon=True)
        thread.start()
        thread.join(timeout)
        with self._lock:
            if not outcome:
                self._abandoned = True
                if self._context is not None:
                    self._context.close()
                raise Failed(
                    PluginFault("SETUP_TIMEOUT", f"It did not start within {timeout:g} seconds.")
                )
        result = outcome[0]
        if isinstance(result, Running):
            return result
        self._undo(timeout)
        if isinstance(result, Failed):
            raise result
        raise Failed(self._fault("SETUP_ERROR", "start", result))

    def _run(self) -> Running:
        cls = self._import()
        self._recover_events()
        context = PluginContext(
            self.manifest,
            self.resources,
            package=self.found.folder,
            bundled=self.found.bundled,
            log=self.log,
        )
        self._context = context
        self._step("settings", lambda: self.resources.settings.check(self.manifest.id))
        plugin = self._step("constructor", lambda: cls(context))
        self._plugin = plugin
        self._step("hooks", lambda: self.resources.hooks.add(self.manifest.id, plugin, self.gate))
        problems = self._step("check", lambda: list(plugin.check() or ()))
        if problems:
            text = " ".join(str(problem) for problem in problems)
            raise Failed(PluginFault("SETUP_ERROR", one_line(f"check: {text}")))
        self._migrate(plugin)
        self._enabled = True
        self._step("enable", plugin.enable)
        published = self._collect(plugin, context)
        try:
            self.check_routes(published)
        except Invalid as error:
            raise Failed(PluginFault("ROUTE_CONFLICT", one_line(error.message))) from None
        return Running(published, plugin, context)

    def _recover_events(self) -> None:
        """Hands over what a crash left in the plugin's outbox."""
        engine, plugin_id = self.resources.engine, self.manifest.id
        if self.resources.recovers and engine.exists(plugin_id):
            self.resources.bus.recover(plugin_id, engine.open(plugin_id))

    def _import(self) -> type[Plugin]:
        def told(use: Deprecation) -> None:
            self.resources.deprecations.used(self.manifest.id, self.manifest.version, use)

        try:
            with loading_plugin(told):
                return self.loader.load(self.found)
        except NotAPlugin as error:
            raise Failed(PluginFault("NOT_A_PLUGIN", one_line(str(error)))) from None
        except (Exception, SystemExit) as error:
            raise Failed(self._fault("IMPORT_ERROR", "import", error)) from None

    def _step(self, stage: str, call: Callable[[], Any]) -> Any:
        self._refuse_late()
        try:
            return call()
        except Failed:
            raise
        except (Exception, SystemExit) as error:
            raise Failed(self._fault("SETUP_ERROR", stage, error)) from None

    def _refuse_late(self) -> None:
        """Once nobody waits any more, the version before may be at work again."""
        with self._lock:
            if self._abandoned:
                raise Failed(PluginFault("SETUP_TIMEOUT", "It took too long."))

    def _fault(self, code: str, stage: str, error: BaseException) -> PluginFault:
        return fault_of(code, stage, error, self.log, self.found.folder)

    def _migrate(self, plugin: Plugin) -> None:
        steps = self._step("migrations", lambda: list(plugin.migrations()))
        if steps:
            database = self.resources.engine.open(self.manifest.id)
            self.before_migrations()
            guarded = [replace(each, apply=partial(self._apply, each)) for each in steps]
            self._step("migrations", lambda: database.migrate(guarded))

    def _apply(self, step: Migration, database: Database) -> None:
        """Inside of its transaction, which what is raised here undoes."""
        self._refuse_late()
        step.apply(database)
        self._refuse_late()

    def _collect(self, plugin: Plugin, context: PluginContext) -> Published:
        routes = self._list(plugin.routes, "routes", (Route, WebSocketRoute))
        providers = self._list(plugin.providers, "providers", (Provider,))
        self._refuse(route_conflict(self.manifest, routes))
        self._refuse(provider_conflict(self.manifest, providers, self.providers_taken))
        shown = self._list(plugin.pages, "pages", (Page, Panel))
        manifest, gate = self.manifest, self.gate
        own_errors = type(plugin).error_body is not Plugin.error_body
        error_body = plugin.error_body if own_errors else None
        return Published(
            plugin_id=manifest.id,
            manifest=manifest,
            gate=gate,
            plugin=plugin,
            endpoints=tuple(
                Endpoint(manifest.id, full_path(manifest, each.path), each, gate, error_body)
                for each in routes
                if isinstance(each, Route)
            ),
            websockets=tuple(
                WebSocketEndpoint(manifest.id, full_path(manifest, each.path), each, gate)
                for each in routes
                if isinstance(each, WebSocketRoute)
            ),
            providers=tuple(providers),
            subscriptions=self._subscriptions(plugin),
            jobs=self._jobs(plugin),
            commands=tuple(self._list(plugin.commands, "commands", (Command,))),
            pages=tuple(each for each in shown if isinstance(each, Page)),
            panels=tuple(each for each in shown if isinstance(each, Panel)),
            services=dict(context.offered.offered),
            error_body=error_body,
            filters=self._filters(plugin),
        )

    def _filters(self, plugin: Plugin) -> tuple[RequestFilter, ...]:
        found = self._list(plugin.filters, "filters", (RequestFilter,))
        if found and not self.found.bundled:
            text = "filters: only bundled plugins may stand before the routes of others"
            raise Failed(PluginFault("SETUP_ERROR", text))
        return tuple(found)

    def _subscriptions(self, plugin: Plugin) -> tuple[Subscription, ...]:
        found = self._list(plugin.subscriptions, "subscriptions", (Subscription,))
        for each in found:
            self._step("subscriptions", partial(check_pattern, each.event))
        return tuple(found)

    def _jobs(self, plugin: Plugin) -> tuple[Job, ...]:
        found = self._list(plugin.jobs, "jobs", (Job,))
        kinds = [JobKind(self.manifest.id, each, each.handler) for each in found]
        self._step("jobs", lambda: check_kinds(kinds))
        return tuple(found)

    def _list(
        self, hook: Callable[[], Iterable[Any]], stage: str, kinds: tuple[type, ...]
    ) -> list[Any]:
        values = self._step(stage, lambda: list(hook()))
        for value in values:
            if not isinstance(value, kinds):
                names = " or ".join(kind.__name__ for kind in kinds)
                text = f"{stage}: must give {names}, not {type(value).__name__}"
                raise Failed(PluginFault("SETUP_ERROR", text))
        return values  # type: ignore[no-any-return]

    def _refuse(self, fault: PluginFault | None) -> None:
        if fault is not None:
            raise Failed(fault)

    def _undo(self, timeout: float) -> None:
        """After a failure nothing of the plugin remains registered."""
        plugin, context = self._plugin, self._context
        if plugin is not None:
            if self._enabled:
                teardown(plugin, self.log, timeout)
            self.resources.hooks.remove(plugin)
        if context is not None:
            context.close()


def teardown(plugin: Plugin, log: Logger, timeout: float) -> None:
    """Calls `disable`; what it raises is logged, and after ``timeout`` seconds nobody waits."""

    def work() -> None:
        try:
            plugin.disable()
        except (Exception, SystemExit) as error:
            log.error("Disabling failed; it is off all the same.", exc_info=error)

    thread = threading.Thread(target=work, name="plugin teardown", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        log.error("Disabling did not end within %g seconds; it is off all the same.", timeout)
