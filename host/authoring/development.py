"""``stagebox plugin dev``: a host with one plugin that is loaded anew whenever a file is saved."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from host.app import Host
from host.authoring.sources import PluginSource
from host.authoring.traces import Traces
from host.server import server_of
from plugin_sdk import StageboxError

__all__ = ["Development"]

LOOK_SECONDS: Final = 0.15
_STOP_SECONDS: Final = 5.0

Say = Callable[[str], object]


class Development:
    """A serving host, and the eye on the files. ``say`` hears a line about everything that
    happens; tracebacks are in the host's log. A version that does not start leaves the one before
    at work."""

    def __init__(self, host: Host, source: PluginSource, aside: Path, say: Say) -> None:
        """``aside`` is a folder for the manifest that a plugin of one file lacks."""
        self._host = host
        self._source = source
        self._aside = aside
        self._say = say
        self._traces = Traces(host.folders / source.id, source.watched)
        host.logs.trace = lambda error: self._traces.render(error[1], error[2])
        # `_complain` says the same, and to the author.
        host.logs.logger("plugins").addFilter(lambda record: record.levelno < logging.ERROR)
        self._stamp: tuple[tuple[str, int, int], ...] = ()
        self.server = server_of(host)
        self.loaded = 0
        """How often the plugin was loaded with success."""

    def start(self) -> None:
        """Serves, and loads the plugin for the first time. Raises ConfigurationError."""
        self._host.start()
        self.server.start()
        self._host.serve(self.server.addresses, self.server.hub.close_gone)
        self.look()

    def run(self, stopping: threading.Event) -> None:
        """Looks at the files until it is to stop."""
        while not stopping.wait(LOOK_SECONDS):
            self.look()

    def stop(self) -> None:
        """Lets what is under way end."""
        self.server.stop(_STOP_SECONDS)
        self._host.stop()

    def look(self) -> None:
        """Loads the plugin when a file has changed since the last look."""
        stamp = self._source.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        began = time.perf_counter()
        try:
            version = self._load()
        except StageboxError as error:
            self._complain(error)
        except OSError as error:  # an editor that writes a file anew may remove it first
            self._complain(StageboxError(f'"{error.filename}": {error.strerror}.'))
        else:
            took = round((time.perf_counter() - began) * 1000)
            self.loaded += 1
            self._say(f"{self._source.id} {version} is loaded ({took} ms).")

    def page(self) -> str:
        """What to open: the plugin's first page, else its first route without fields."""
        base = f"http://{self.server.addresses[0]}"
        published = self._host.manager.catalog.plugins.get(self._source.id)
        if published is None:
            return base
        if published.pages:
            return f"{base}{published.manifest.prefix}{published.pages[0].path}"
        readable = (
            endpoint.path
            for endpoint in published.endpoints
            if endpoint.route.method == "GET" and "{" not in endpoint.path
        )
        return base + next(readable, "/docs")

    def _load(self) -> str:
        """Raises StageboxError."""
        host, plugin_id = self._host, self._source.id
        host.plugins.install(self._source.put(self._aside), accept_additions=True)
        entry = host.plugins.entry(plugin_id)
        if entry.state != "active":
            entry = host.plugins.enable(plugin_id)
        if entry.fault is not None:
            raise StageboxError(f"{entry.fault.code}: {entry.fault.message}")
        assert entry.manifest is not None
        return entry.manifest.version

    def _complain(self, error: StageboxError) -> None:
        active = self._source.id in self._host.manager.catalog.plugins
        rest = " The version before goes on." if active else " Mend it: saving tries it again."
        message = self._traces.named(error.message)
        self._say(f"{self._source.id} was not loaded: {message}{rest}")
        for problem in error.details:
            if problem.message not in error.message:
                self._say(
                    f"  {problem.path}: {problem.message}" if problem.path else problem.message
                )
