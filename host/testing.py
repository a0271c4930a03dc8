"""A real host for tests: temporary data, a free port, plugins enabled at once.

Its data are SQLite files, unless STAGEBOX_TEST_DATABASE names a PostgreSQL database on a server
that may be thrown away: then each data directory gets a copy of that one. Plugin authors reach the
host through the fixture ``stagebox`` of plugin_sdk.testing; it is found by the entry point ``host``
of the group ``stagebox.testing``.
"""

from __future__ import annotations

import http.client
import importlib
import inspect
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from host.app import Host
from host.backup import BackupDesk
from host.config import load_config
from host.db import Engine, SqliteEngine
from host.plugins.discovery import Given
from host.plugins.manifests import MANIFEST_NAME
from host.server import Server, server_of
from plugin_sdk import HttpReply, Plugin, parse_json
from plugin_sdk.management import PluginEntry
from plugin_sdk.manifest import SDK_VERSION

__all__ = [
    "TEST_BUNDLED",
    "TEST_DATABASE",
    "TestHost",
    "database_of",
    "open_database",
    "open_engine",
]

TEST_DATABASE: Final = "STAGEBOX_TEST_DATABASE"

TEST_BUNDLED: Final = "STAGEBOX_TEST_BUNDLED"
"""Ids of the built-ins that test hosts have, with commas between them, unless they are told; all
where it is not set. Most of a host's start is theirs."""

_PREPARED: Final = f"{TEST_DATABASE}_PREPARED"
"""Names a database on the same server."""

Source = Path | type[Plugin] | str


def database_of(folder: Path, *, prepared: bool = False) -> str:
    """The URL of the database that belongs to a data directory, "" for files in it.

    One that is ``prepared`` may have the tables of host and bundled plugins already, where the
    environment names a database that does: a host starts in a third of the time then."""
    url = os.environ.get(TEST_DATABASE, "")
    if not url:
        return ""
    from host.db.postgresql.throwaway import database_for

    return database_for(url, folder, os.environ.get(_PREPARED, "") if prepared else "")


def open_engine(
    folder: Path, durability: Literal["full", "normal"] = "full", *, idle: int = 8
) -> Engine:
    """The engine for a data directory, of the kind that tests run on. ``idle`` connections are
    kept open by one that has any."""
    url = database_of(folder)
    if not url:
        return SqliteEngine(folder, durability)
    from host.db.postgresql import PostgresqlEngine

    return PostgresqlEngine(url, durability, idle=idle)


class OwnDatabase:
    """A plugin's database that takes its engine along when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._engine = open_engine(folder, idle=0)  # a test may look for open sockets
        self._database = self._engine.open("plugin.under.test")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def close(self) -> None:
        self._engine.close()


def open_database(folder: Path) -> OwnDatabase:
    """A real database in a folder of its own. Found by the entry point ``database`` of the group
    ``stagebox.testing``; close it."""
    return OwnDatabase(folder)


class TestHost:
    """A context manager; inside, the host serves at `url`.

    ``plugins`` are folders (copied into the data directory), classes, or ``module:attribute``.
    A class without a plugin.json beside its module gets a small manifest with all capabilities.
    ``settings`` maps plugin ids to values, ``config`` holds options of the host, ``bundled`` the
    ids of the built-ins that it has.
    """

    __test__ = False  # not a test class, whatever pytest thinks of the name

    def __init__(
        self,
        data_dir: Path,
        *,
        plugins: Sequence[Source] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        bundled: Collection[str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._bundled = _usual_bundled() if bundled is None else bundled
        self._env = dict(env or {})
        self._settings = dict(settings or {})
        self._config = {"listen": ["127.0.0.1:0"], "log_level": "http", **(config or {})}
        self._given: list[Given] = []
        self._wished: list[str] = []
        self.host: Host
        self.server: Server
        for source in plugins:
            self._take(source)

    def _take(self, source: Source) -> None:
        if isinstance(source, Path):
            document = parse_json((source / MANIFEST_NAME).read_bytes())
            target = self.data_dir / "plugins" / document["id"]
            skipped = shutil.ignore_patterns("__pycache__", "*.db", "*.db-*")
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=skipped)
            self._wished.append(document["id"])
            return
        if isinstance(source, str):
            module, _, attribute = source.partition(":")
            source = getattr(importlib.import_module(module), attribute or "plugin")
            assert isinstance(source, type)
        given = _given(source)
        self._given.append(given)
        self._wished.append(str(given.document["id"]))

    # Life

    def __enter__(self) -> TestHost:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        flags = {"data_dir": str(self.data_dir), **self._config}
        if "database" not in flags:
            flags["database"] = database_of(self.data_dir, prepared=True) or None
        self.host = Host(
            load_config(flags, self._env),
            env=self._env,
            given=self._given,
            bundled=self._bundled,
        )
        self.host.provide("backups", BackupDesk(self.host.config, self._env))
        self.host.open()
        for plugin_id in self._wished:
            if self.host.manager.wishes.get(plugin_id) is None:
                self.host.manager.wishes.set(plugin_id, True)
        for plugin_id, values in self._settings.items():
            self.host.settings.update(plugin_id, values)
        self.host.start()
        self.server = server_of(self.host)
        self.server.start()
        self.host.serve(self.server.addresses, self.server.hub.close_gone)

    def stop(self) -> None:
        self.server.stop(10.0)
        self.host.stop()

    def restart(self) -> None:
        """A clean stop and a new start on the same data; the port may be another one."""
        self.stop()
        self.start()

    # Looking

    @property
    def url(self) -> str:
        """``http://127.0.0.1:<port>``, without a slash at the end."""
        return f"http://{self.server.addresses[0]}"

    def entry(self, plugin_id: str) -> PluginEntry:
        """Raises NotFound."""
        return self.host.plugins.entry(plugin_id)

    def plugin(self, plugin_id: str) -> Plugin:
        """The instance at work."""
        published = self.host.manager.catalog.plugins[plugin_id]
        assert published.plugin is not None
        return published.plugin

    def enable(self, plugin_id: str) -> PluginEntry:
        return self.host.plugins.enable(plugin_id)

    def disable(self, plugin_id: str) -> PluginEntry:
        return self.host.plugins.disable(plugin_id)

    def log_lines(self) -> list[dict[str, Any]]:
        """What the host logged so far."""
        if not self.host.logs.flush(60):
            raise TimeoutError("the log was not written within a minute")
        file = self.host.config.log_file
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    # Asking

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        timeout: float = 30.0,
    ) -> HttpReply:
        """One request on a connection of its own; ``json`` is sent as application/json."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = content
        if json is not None:
            body = _dump(json)
            sent.setdefault("Content-Type", "application/json")
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return HttpReply(answer.status, received, answer.read(), self.url + path)
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> HttpReply:
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> HttpReply:
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> HttpReply:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> HttpReply:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> HttpReply:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> HttpReply:
        return self.request("DELETE", path, **options)

    def options(self, path: str, **options: Any) -> HttpReply:
        return self.request("OPTIONS", path, **options)

    @contextmanager
    def websocket(self, path: str, *, headers: Mapping[str, str] | None = None) -> Iterator[Any]:
        """A connection of the ``websockets`` library's synchronous client."""
        from websockets.sync.client import connect

        url = self.url.replace("http", "ws", 1) + path
        # No pings of its own: a client that reads nothing, or a machine that stands still, stays.
        with connect(
            url,
            additional_headers=dict(headers or {}),
            compression=None,
            open_timeout=60,
            ping_interval=None,
        ) as connection:
            yield connection


def _usual_bundled() -> Collection[str] | None:
    named = os.environ.get(TEST_BUNDLED)
    return None if named is None else named.split(",")


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _given(cls: type[Plugin]) -> Given:
    try:
        folder = Path(inspect.getfile(cls)).parent
    except (TypeError, OSError):
        folder = None
    if folder is not None and (folder / MANIFEST_NAME).is_file():
        document = parse_json((folder / MANIFEST_NAME).read_bytes())
        return Given(cls, document, folder)
    return Given(cls, {**_small_manifest(cls), **getattr(cls, "manifest", {})})


def _small_manifest(cls: type[Plugin]) -> dict[str, Any]:
    """For a class that a test defines: ``manifest`` of the class may say more."""
    from plugin_sdk import CAPABILITIES

    name = cls.__name__.lower().strip("_")
    return {
        "id": name if len(name) > 1 else f"plugin_{name}",
        "name": cls.__name__,
        "version": "1.0.0",
        "sdk": f">={SDK_VERSION.partition('.')[0]}",
        "capabilities": list(CAPABILITIES),
    }
