"""One host: its parts, made in order, started and stopped."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TextIO

from host.access import AccessService, Audit, Governance
from host.app.build import build_info, version
from host.app.engines import open_engine
from host.app.life import MIGRATIONS as LIFE_MIGRATIONS
from host.app.life import Life
from host.app.management import (
    Api,
    DataReader,
    Info,
    Names,
    Plugins,
    ProvidersManaged,
    SettingsManaged,
)
from host.app.operating import JobsManaged
from host.app.presence import BEAT_SECONDS, Presence
from host.app.presence import MIGRATIONS as PRESENCE_MIGRATIONS
from host.app.recording import Recorder
from host.app.switch import Switch
from host.app.watch import Watch
from host.clock import SystemClock
from host.config import Config, address
from host.db import Engine, HostDatabase
from host.db.marks import refuse_half_moved
from host.events import EventBus, Recovery
from host.jobs import JobService
from host.logs import HostLogs, request_id
from host.plugins.context import Resources
from host.plugins.deprecations import MIGRATIONS as DEPRECATION_MIGRATIONS
from host.plugins.deprecations import DeprecationLog
from host.plugins.discovery import Given
from host.plugins.gate import Gate, Slots
from host.plugins.hooks import HookRegistry
from host.plugins.installing import Installer
from host.plugins.manager import PluginManager
from host.plugins.purging import Purger
from host.plugins.register import Register
from host.plugins.services import ServiceRegistry
from host.plugins.stage import Limits, Stage
from host.plugins.wishes import MIGRATIONS as WISH_MIGRATIONS
from host.plugins.wishes import WishStore
from host.providers import Asker, ProviderRegistry
from host.realtime import Broadcasting
from host.settings import SettingsStore
from host.web.layer import WebLayer
from host.web.login import login_endpoints
from plugin_sdk import Command, DatabaseUnavailable, Principal
from plugin_sdk.management import PluginEntry, PublishedRoute

__all__ = ["Host"]

_RESERVE = 2
"""Worker threads that stay for plugins which hold none."""


class Host:
    """Everything of one host. `open` it to manage, `start` it to serve; `stop` it in the end."""

    def __init__(
        self,
        config: Config,
        *,
        env: Mapping[str, str],
        log_stream: TextIO | None = None,
        given: Sequence[Given] = (),
        bundled: Collection[str] | None = None,
        log_file: bool = True,
    ) -> None:
        """``bundled``: the ids of the built-ins that it has, if not all of them."""
        self.config = config
        self.clock = SystemClock(config.test_clock_offset_file)
        self.version = version()
        self.logs = HostLogs(
            level=config.log_level,
            file=config.log_file if log_file else None,
            stream=log_stream,
            stream_format=config.log_format,
            clock=self.clock,
        )
        self.log = self.logs.logger("host")
        self.engine: Engine = open_engine(config)
        self.database: HostDatabase = self.engine.open("host")
        self.folders = config.data_dir / "plugins"
        self._env = env
        self._given = tuple(given)
        self._bundled = bundled
        self._opened = False
        self._seconds = 0
        self._followed = -1
        self.names = Names(config.allowed_hosts)
        self._build()

    def _build(self) -> None:
        """Makes the parts, lower layers first; starts nothing."""
        self._build_keepers()
        self._build_web()
        self._build_plugins()
        self._provide()

    def _build_keepers(self) -> None:
        """What keeps settings, jobs, events, rights: it knows neither plugins nor HTTP."""
        config = self.config
        self.settings_store = SettingsStore(
            self.database, config.plugins, log=self.logs.logger("settings")
        )
        self.registry = ProviderRegistry(self.database, self.logs.logger("providers"))
        self.presence = Presence(self.database, self.clock)
        self.jobs = JobService(self.database, self.clock, self.logs.logger("jobs"))
        self.life = Life(self.database, self.jobs.owner, self.jobs.alive)
        self.bus = EventBus(
            self.clock, self.logs.logger("events"), owner=self.jobs.owner, alive=self.jobs.alive
        )
        self._recovery = Recovery(self.bus, self._emitters, self.logs.logger("events"))
        self.jobs.on_owners_lost = lambda _lost: self._recover_events()
        self.realtime = Broadcasting(
            self.registry, self.engine.signals(), self.logs.logger("realtime")
        )
        self.hooks = HookRegistry(self.logs.logger("hooks"))
        self.audit = Audit(self.database, self.clock)
        self.deprecations = DeprecationLog(self.database, self.clock, self.logs.logger("plugins"))
        self.access = AccessService(
            providers=lambda: self.registry.chain("auth"),
            decide=self._decide,
            available=lambda: self.manager.permissions(),
            log=self.logs.logger("access"),
            governance=Governance(self.database),
        )
        self._services = ServiceRegistry()
        self._emitter = self.bus.emitter("host", self.database)
        self._listeners: list[str] = []
        self._websocket_url: str | None = None
        self._withdrawn: Callable[[], object] = lambda: None
        self.slots = Slots(config.threads, config.max_calls_per_plugin, _RESERVE)

    def _build_web(self) -> None:
        config = self.config
        # Logins may wait for other servers: they have slots of their own, more than a login
        # provider lets wait at once by default.
        logins = Slots(config.threads, max(2, config.threads * 5 // 8), 0)
        self._host_routes = login_endpoints(
            self.access, self.clock, Gate("host", logins), self._emit
        )
        recorder = Recorder(self.audit, self.logs)
        self.web = WebLayer(
            self.access,
            self.logs.logger("web"),
            request_id=request_id,
            host_routes=self._host_routes,
            allowed_hosts=lambda: self.names.allowed,
            listening=[address(text)[0] for text in config.listen],
            on_request=recorder.request,
            recording=lambda: self.logs.access_enabled,
            on_deed=recorder.deed,
        )

    def _build_plugins(self) -> None:
        config = self.config
        resources = self._resources = Resources(
            engine=self.engine,
            folders=self.folders,
            temporary=config.data_dir / "tmp",
            clock=self.clock,
            log=self.logs.logger("plugins"),
            bus=self.bus,
            jobs=self.jobs,
            settings=self.settings_store,
            access=self.access,
            providers=self.registry,
            realtime=self.realtime,
            services=self._services,
            hooks=self.hooks,
            deprecations=self.deprecations,
        )
        register = Register(
            self.folders,
            self.settings_store,
            resources.log,
            bundled_only=config.safe_mode,
            bundled=self._bundled,
            given=self._given,
        )
        switch = Switch(
            registry=self.registry,
            services=self._services,
            web=self.web,
            bus=self.bus,
            jobs=self.jobs,
        )
        stage = Stage(
            offer=switch.offer,
            publish=switch.publish,
            withdrawn=lambda: self._withdrawn(),
            emit=self._emit,
            log_for=self.logs.plugin_logger,
            host_paths=self.web.host_paths,
            check=self.web.check,
        )
        self.manager = PluginManager(
            resources,
            register,
            WishStore(self.database),
            stage,
            slots=self.slots,
            limits=Limits(),
            crash_folder=config.data_dir,
        )
        self.installer = Installer(self.manager, self.folders, resources)
        purger = Purger(
            self.manager,
            engine=self.engine,
            folders=self.folders,
            settings=self.settings_store,
            providers=self.registry,
            jobs=self.jobs,
            hooks=self.hooks,
            emit=self._emit,
            release=self.bus.release,
            deprecations=self.deprecations,
        )
        self.plugins = Plugins(self.manager, self.installer, purger, self.deprecations)
        asker = Asker(self.clock, self.logs.logger("providers"))
        self.providers = ProvidersManaged(self.registry, self._provider_chosen, asker)
        self.settings = SettingsManaged(self.settings_store, self.manager)
        self._watch = Watch(self.database, self._follow, self._every_second, self.log)

    def _provide(self) -> None:
        """The host's services for bundled plugins."""
        self.info = Info(
            version=self.version,
            started_at=self.clock.ms(),
            data_dir=self.config.data_dir,
            log_file=self.config.log_file,
            logs=self.logs,
            build=build_info(self._env),
            listeners=self._known_listeners,
            exposed=self._exposed,
            websocket_url=lambda: self._websocket_url,
            others=lambda: len(self.presence.others()),
            life=self.life,
        )
        self._services.provide("plugins", self.plugins)
        self._services.provide("providers", self.providers)
        self._services.provide("settings", self.settings)
        self.data = DataReader(self.engine, self.registry)
        self._services.provide("data", self.data)
        self._services.provide("info", self.info)
        self._services.provide("audit", self.audit)
        self._services.provide("names", self.names)
        self._services.provide("jobs", JobsManaged(self.jobs))
        host_routes = [PublishedRoute("host", each.path, each.route) for each in self._host_routes]
        self._services.provide("api", Api(lambda: self.manager.catalog, host_routes))

    def provide(self, name: str, service: object) -> None:
        """A service ``host.<name>`` of whoever runs this host; before `start`."""
        self._services.provide(name, service)

    # Life

    def open(self) -> None:
        """Makes the host's own tables; afterwards everything can be managed. No plugin runs.
        Raises Conflict for databases into which a move was begun and not ended: what would be
        made there now would keep it from going on."""
        if self._opened:
            return
        refuse_half_moved(self.database)
        self._opened = True
        self.config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folders.mkdir(exist_ok=True)
        self.database.migrate(
            [
                *WISH_MIGRATIONS,
                *PRESENCE_MIGRATIONS,
                *LIFE_MIGRATIONS,
                *DEPRECATION_MIGRATIONS,
            ]
        )
        self.settings_store.on_store(self._settings_changed)
        self.manager.register.look(packages=True)

    def start(self, patience: float | None = None) -> None:
        """Starts events, jobs, plugins, and following other processes.

        With ``patience`` it returns once the bundled plugins are there and so many more seconds
        have passed, even if others are not up yet: one that hangs must not keep the host from
        listening."""
        self.open()
        self.jobs.attend()
        self.life.begin()
        self.installer.recover()
        self.realtime.start()
        self.bus.start()
        self.jobs.start()
        starting = threading.Thread(target=self._start_plugins, name="start", daemon=True)
        starting.start()
        self.manager.bundled_started.wait()
        starting.join(patience)
        if starting.is_alive():
            self.log.warning("Plugins take long to start; listening without waiting for them.")
            self.manager.publish_early()
        self._watch.start()

    def _start_plugins(self) -> None:
        try:
            self.manager.start()
        except Exception as error:  # a fault of ours: what has started is there all the same
            self.log.critical("Starting the plugins failed.", exc_info=error)
            self.manager.bundled_started.set()
        self._resources.recovers = True
        self._recover_events()

    def start_for_command(self) -> None:
        """Starts plugins so that one of their commands can run beside a server: no jobs run."""
        self.open()
        self.jobs.attend()
        self.realtime.start(listen=False)
        self.bus.start()
        self.manager.start(serving=False)

    def serve(
        self,
        addresses: Sequence[str],
        withdrawn: Callable[[], object],
        *,
        websocket_url: str | None = None,
    ) -> None:
        """The server listens now, at these addresses. ``withdrawn`` ends sockets of plugins that
        are gone. ``websocket_url``: where WebSockets are, unless at the same addresses."""
        self._websocket_url = websocket_url
        self._listeners = [f"http://{address}" for address in addresses]
        self._withdrawn = withdrawn
        self.presence.announce(self._listeners, self.info.started_at)
        self._emit("host.started", {"version": self.version})

    def stop(self) -> None:
        """Takes everything down, also what `open` alone has made."""
        self.life.stopping = True
        if self._listeners:
            self._listeners = []
            self._unless_away(self._take_leave, "Others are not told that this host stops")
        self._watch.stop()
        drain = 0.0
        if self._opened:  # else nothing of it may be made now
            self.manager.stop()
            drain = self.manager.limits.drain
        self.jobs.rest(drain)
        self._recovery.stop(drain)
        self.bus.stop(drain)
        self._unless_away(
            self.deprecations.flush, "Deprecated calls of the last second are not counted"
        )
        self._unless_away(self.life.end, "Others learn later that this process has ended")
        self.jobs.stop(drain)
        self.realtime.stop()
        self.engine.close()
        self.logs.close()

    def _take_leave(self) -> None:
        self._emit("host.stopping", {})
        self.presence.leave()

    def _unless_away(self, step: Callable[[], object], otherwise: str) -> None:
        """What the database is needed for at the end: without it the rest is ended all the same."""
        try:
            step()
        except DatabaseUnavailable as error:
            self.log.warning("%s: %s", otherwise, error)

    def commands(self) -> list[tuple[str, bool, Command]]:
        """Plugin id, whether it is bundled, and command, of all active plugins."""
        found: list[tuple[str, bool, Command]] = []
        for plugin_id, published in self.manager.catalog.plugins.items():
            bundled = self.manager.register.record(plugin_id).found.bundled
            found.extend((plugin_id, bundled, each) for each in published.commands)
        return found

    # Answers for the parts

    def _recover_events(self) -> None:
        """Has what dead processes left in the outboxes told; not before all plugins have started,
        or those that start last would never hear of it."""
        if self._resources.recovers:
            self._recovery.wake()

    def _emitters(self) -> list[tuple[str, HostDatabase]]:
        """Who may have left events: the host, and the plugins at work."""
        plugins = [each for each in self.manager.catalog.plugins if self.engine.exists(each)]
        return [("host", self.database), *((each, self.engine.open(each)) for each in plugins)]

    def _decide(
        self, principal: Principal, permission: str, resources: Sequence[Any]
    ) -> bool | None:
        results = self.hooks.call(
            "decide", principal=principal, permission=permission, resources=resources
        )
        verdicts = [False if each.error else each.value for each in results]
        if any(verdict is False for verdict in verdicts):
            return False
        return True if any(verdict is True for verdict in verdicts) else None

    def _emit(self, name: str, data: Mapping[str, Any]) -> None:
        self._emitter.emit(name, data)

    def _provider_chosen(self, type: str, name: str) -> None:
        self.manager.wishes.bump()
        self._emit("host.provider_changed", {"type": type, "name": name})

    def _settings_changed(self, plugin_id: str, names: frozenset[str]) -> None:
        self._emit("host.settings_changed", {"pluginId": plugin_id, "keys": sorted(names)})

    def _every_second(self) -> None:
        """Ends sockets whose token is no longer good, and tells others that this host lives."""
        if self.web.upgrades.revalidate():
            self._withdrawn()
        self.deprecations.flush()
        self._seconds += 1
        if self._seconds % round(BEAT_SECONDS) == 0:
            self.presence.beat()

    def _follow(self) -> None:
        """This or another process changed something: look at what matters."""
        generation = self.manager.wishes.generation()
        self.settings_store.reload()
        self.registry.reload()
        self.manager.follow()
        if generation != self._followed and self.presence.note_followed(generation):
            self._followed = generation
        self.installer.follow()
        self.installer.take_left()

    def _known_listeners(self) -> list[str]:
        return self._listeners or self.presence.last_listeners()

    def _exposed(self) -> bool:
        return any(not _is_loopback(url) for url in self._listeners)

    def entry(self, plugin_id: str) -> PluginEntry:
        return self.manager.entry(plugin_id)


def _is_loopback(url: str) -> bool:
    host = url.partition("://")[2].rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
