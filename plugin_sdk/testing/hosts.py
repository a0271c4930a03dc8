"""The real host, found through entry points: this package never imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol

from plugin_sdk.management import PluginEntry
from plugin_sdk.plugin import Plugin

__all__ = ["GROUP", "PluginSource", "Reply", "RunningHost", "StartHost", "installed"]

GROUP: Final = "stagebox.testing"
"""The entry point group in which an installed host offers itself to tests.

* ``host``: ``(data_dir: Path, *, plugins, settings, config) -> RunningHost``
* ``database``: ``(folder: Path) -> Database`` that has ``close()`` too; ``folder`` exists, is
  empty, and is the database's alone
"""

PluginSource = Path | str | type[Plugin]
"""A plugin for a test host: its folder, ``"module:attribute"``, or the class."""


class Reply(Protocol):
    """An answer of the test host, read to its end."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...
    def json(self) -> Any: ...


class RunningHost(Protocol):
    """A real host on a free port of this machine, with its own data directory; what the fixture
    ``stagebox`` gives. Requests without a token count as the local administrator's.

    ``get``, ``head``, ``post``, ``put``, ``patch``, ``delete`` and ``options`` take what
    `request` takes after the method.
    """

    @property
    def url(self) -> str:
        """``http://127.0.0.1:49152``, without a slash at the end."""
        ...

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Reply:
        """One request over a real socket; ``json`` is sent as application/json."""
        ...

    def get(self, path: str, **options: Any) -> Reply: ...
    def head(self, path: str, **options: Any) -> Reply: ...
    def post(self, path: str, **options: Any) -> Reply: ...
    def put(self, path: str, **options: Any) -> Reply: ...
    def patch(self, path: str, **options: Any) -> Reply: ...
    def delete(self, path: str, **options: Any) -> Reply: ...
    def options(self, path: str, **options: Any) -> Reply: ...

    def websocket(
        self, path: str, *, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Any]:
        """An open client connection with ``send``, ``recv`` and ``close``."""
        ...

    def plugin(self, plugin_id: str) -> Plugin:
        """The instance at work."""
        ...

    def entry(self, plugin_id: str) -> PluginEntry:
        """How it stands; raises NotFound."""
        ...

    def enable(self, plugin_id: str) -> PluginEntry: ...
    def disable(self, plugin_id: str) -> PluginEntry: ...
    def restart(self) -> None:
        """Stops the host and starts it again over the same data directory."""
        ...

    def log_lines(self) -> Sequence[Mapping[str, Any]]:
        """What the host logged so far."""
        ...

    def __enter__(self) -> RunningHost: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> object: ...


class StartHost(Protocol):
    """The fixture ``stagebox``; see `plugin_sdk.testing.plugin`."""

    def __call__(
        self,
        *plugins: PluginSource,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        config: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
    ) -> RunningHost: ...


def installed(name: Literal["host", "database"]) -> Any:
    """What the installed host offers under this name of the entry point group; RuntimeError
    when no host is installed."""
    for found in entry_points(group=GROUP, name=name):
        return found.load()
    raise RuntimeError(
        f'No Stagebox host is installed here: no distribution has the entry point "{name}" in '
        f"the group {GROUP}. Install one beside your plugin: pip install stagebox."
    )
