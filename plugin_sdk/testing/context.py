"""A context in memory: the honest fake that a plugin's tests use."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from plugin_sdk.access import Permission
from plugin_sdk.database import Database
from plugin_sdk.errors import CapabilityMissing, Conflict
from plugin_sdk.manifest import CAPABILITIES, DEFAULT_PREFIX, Manifest
from plugin_sdk.plugin import Plugin
from plugin_sdk.strict_json import parse_json
from plugin_sdk.testing.access import FakePermissions
from plugin_sdk.testing.clock import FakeClock
from plugin_sdk.testing.data import FakeData
from plugin_sdk.testing.events import FakeEvents
from plugin_sdk.testing.hosts import installed
from plugin_sdk.testing.jobs import FakeJobs
from plugin_sdk.testing.logs import FakeLog
from plugin_sdk.testing.outbound import FakeHttp
from plugin_sdk.testing.providers import FakeHooks, FakeProviders, FakeServices
from plugin_sdk.testing.realtime import FakeRealtime
from plugin_sdk.testing.settings import FakeSettings
from plugin_sdk.testing.storage import FakeBlobs, MemoryStorage
from plugin_sdk.testing.transactions import JoinedDatabase, Transactions

__all__ = ["FakeContext", "FakePaths"]

_Plugin = TypeVar("_Plugin", bound=Plugin)


class FakePaths:
    """``context.paths`` in tests, below a folder that is removed with the context."""

    def __init__(self, folder: Callable[[], Path], package: Path | None) -> None:
        self._folder = folder  # made when it is first asked for
        self._package = package

    @property
    def data(self) -> Path:
        return self._made("data")

    @property
    def package(self) -> Path:
        return self._package or self._made("package")

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self._folder()) as folder:
            yield Path(folder)

    def temporary(self) -> AbstractContextManager[Path]:
        return self._temporary()

    def _made(self, name: str) -> Path:
        folder = self._folder() / name
        folder.mkdir(exist_ok=True)
        return folder


class FakeContext:
    """A `plugin_sdk.Context` for tests, with everything in memory::

        from plugin_sdk.testing import FakeContext, request, signed_in

        def test_adding_a_sound():
            with FakeContext("example.soundboard", settings={"maxSounds": 1}) as context:
                board = context.start(Soundboard)
                board.add(request("POST", query={"serverId": "room-1"}, body=SOUND))
                with pytest.raises(Conflict):
                    board.add(request("POST", query={"serverId": "room-1"}, body=SOUND))
                assert [event.name for event in context.events.emitted] == [
                    "example.soundboard.added"
                ]

    Each member behaves like the host's and can be looked into: ``events.emitted``,
    ``jobs.run_all()``, ``http.answer(...)``, ``realtime.sent``, ``clock.advance(60)``,
    ``log.messages``. ``db`` alone is no fake: it is a real database of the installed host, opened
    when it is first used (RuntimeError when no host is installed).

    ``settings`` are stored values over the defaults of ``settings_schema``. ``capabilities`` are
    those that the manifest would declare, all of them unless given (ValueError for an unknown
    one). ``permissions`` are the plugin's own. ``package`` is what ``paths.package`` gives.
    ``now`` is where the clock stands. ``database`` opens another database than the installed
    host's. The fixture ``fake_context`` is one with all capabilities.
    """

    def __init__(
        self,
        plugin_id: str = "example.test",
        *,
        settings: Mapping[str, Any] | None = None,
        settings_schema: Mapping[str, Any] | None = None,
        capabilities: Collection[str] = tuple(CAPABILITIES),
        permissions: Sequence[Permission] = (),
        package: Path | None = None,
        now: float | datetime | None = None,
        database: Callable[[Path], Database] | None = None,
    ) -> None:
        unknown = sorted(set(capabilities) - CAPABILITIES.keys())
        if unknown:
            known = ", ".join(CAPABILITIES)
            raise ValueError(f"{', '.join(unknown)} is no capability; there are {known}.")
        self.clock: FakeClock = FakeClock() if now is None else FakeClock(now)
        self.log: FakeLog = FakeLog(f"stagebox.plugins.{plugin_id}")
        self.transactions: Transactions = Transactions()
        self.data: FakeData = FakeData(self.transactions)
        self.settings: FakeSettings = FakeSettings(settings, settings_schema)
        self.events: FakeEvents = FakeEvents(plugin_id, self.transactions, self.clock, self.log)
        self.jobs: FakeJobs = FakeJobs(plugin_id, self.clock, self.log)
        self.providers: FakeProviders = FakeProviders()
        self.services: FakeServices = FakeServices(plugin_id)
        self.permissions: FakePermissions = FakePermissions(permissions, self.log)
        self.hooks: FakeHooks = FakeHooks(self.log)
        self.manifest: Manifest = Manifest(
            id=plugin_id,
            name=plugin_id,
            version="1.0.0",
            sdk="*",
            capabilities=tuple(capabilities),
            permissions=tuple(permissions),
            settings=settings_schema,
            prefix=DEFAULT_PREFIX + plugin_id,
            claims=(DEFAULT_PREFIX + plugin_id,),
        )
        self.migrated: list[str] = []
        """Names of the migrations that ran, in order."""
        self._plugin_id = plugin_id
        self._capabilities = frozenset(capabilities)
        self._package = package
        self._open_database = database
        self._database: Database | None = None
        self._folder: Path | None = None
        self._blobs = FakeBlobs(plugin_id, MemoryStorage(self.clock))
        self._http = FakeHttp(private="http.private" in capabilities)
        self._realtime = FakeRealtime()
        self._closing = ExitStack()

    @classmethod
    def for_folder(cls, folder: Path, *, settings: Mapping[str, Any] | None = None) -> FakeContext:
        """A context as the plugin.json in ``folder`` declares it: id, capabilities, permissions
        and settings schema. Raises OSError without the file, Invalid when it is no JSON."""
        text = (folder / "plugin.json").read_bytes()
        manifest = Manifest.from_json(parse_json(text, unique_keys=True))
        context = cls(
            manifest.id,
            settings=settings,
            settings_schema=manifest.settings or {},
            capabilities=manifest.capabilities,
            permissions=manifest.permissions,
            package=folder,
        )
        context.manifest = manifest
        return context

    @property
    def plugin_id(self) -> str:
        return self._plugin_id

    @property
    def db(self) -> Database:
        self._need("db")
        if self._database is None:
            opener = self._open_database or installed("database")
            folder = self._own_folder() / "database"
            folder.mkdir()
            database = opener(folder)
            close = getattr(database, "close", None)
            if close is not None:
                self._closing.callback(close)
            self._database = JoinedDatabase.around(database, self.transactions)
        return self._database

    @property
    def blobs(self) -> FakeBlobs:
        self._need("blobs")
        return self._blobs

    @property
    def realtime(self) -> FakeRealtime:
        self._need("realtime")
        return self._realtime

    @property
    def http(self) -> FakeHttp:
        if "http.private" not in self._capabilities:
            self._need("http")
        return self._http

    @property
    def paths(self) -> FakePaths:
        self._need("paths")
        return FakePaths(self._own_folder, self._package)

    def start(self, plugin: type[_Plugin]) -> _Plugin:
        """Makes an instance and does with it what the host does: `check`, `migrations`,
        `enable`, then connects event handlers, jobs, providers and its vote in ``decide``.

        Raises Conflict when `check` objects, and whatever the plugin raises; after a failure in
        `enable` the plugin's `disable` has run."""
        instance = plugin(self)
        objections = list(instance.check() or ())
        if objections:
            raise Conflict("The plugin cannot work here: " + " ".join(objections))
        self._migrate(instance)
        self.hooks.add_hookspecs(*instance.hookspecs)
        self.hooks.register(self._plugin_id, instance)
        try:
            instance.enable()
            self._connect(instance)
        except BaseException:
            self._stop_quietly(instance)
            raise
        return instance

    def stop(self, plugin: Plugin) -> None:
        """Withdraws what `start` connected and calls `disable`; what that raises comes through."""
        self.events.disconnect()
        self.jobs.withdraw()
        self.settings.disconnect()
        self.permissions.deciders[:] = [
            each for each in self.permissions.deciders if getattr(each, "__self__", 0) is not plugin
        ]
        for entry in self.providers.entries():
            if entry.plugin_id == self._plugin_id:
                self.providers.remove(entry.type, entry.name)
        self.services.offered.clear()
        self.hooks.unregister(plugin)
        plugin.disable()

    def _stop_quietly(self, plugin: Plugin) -> None:
        try:
            self.stop(plugin)
        except Exception:  # what made the start fail must be seen, not what followed from it
            self.log.exception("disable raised after a start that failed")

    def close(self) -> None:
        """Closes the database and removes folders. A context used in ``with`` does so itself."""
        self._closing.close()

    def __enter__(self) -> FakeContext:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _migrate(self, plugin: Plugin) -> None:
        for step in plugin.migrations():
            if step.name not in self.migrated:
                with self.transactions.transaction():
                    step.apply(self.db)
                self.migrated.append(step.name)

    def _connect(self, plugin: Plugin) -> None:
        self.events.connect(plugin.subscriptions())
        self.jobs.declare(plugin.jobs())
        self.permissions.deciders.append(plugin.decide)
        for provider in plugin.providers():
            self.providers.add(
                provider.type, provider.name, provider.implementation, plugin_id=self._plugin_id
            )

    def _need(self, capability: str) -> None:
        if capability not in self._capabilities:
            raise CapabilityMissing(capability, self._plugin_id)

    def _own_folder(self) -> Path:
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="stagebox-test-")
            self._folder = Path(self._closing.enter_context(folder))
        return self._folder
