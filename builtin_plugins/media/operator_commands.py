"""``stagebox media scan`` (media contract, 11)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from builtin_plugins.media.fields import Fields
from builtin_plugins.media.scan_jobs import ScanJobs
from builtin_plugins.media.scan_routes import ScanRoutes
from builtin_plugins.media.scanner import Scanner
from plugin_sdk import CommandIO, Http, Invalid, StageboxError
from plugin_sdk.management import HostInfo

__all__ = ["OperatorCommands", "Servers"]

_ENDED: Final = ("COMPLETED", "FAILED", "PAUSED")
_LOOK_SECONDS: Final = 0.2


class _InCommand:
    """What a job's handler gets, when the command does the work itself."""

    id = "command"
    attempt = 1
    saved: Any = None

    def __init__(self) -> None:
        self.args: dict[str, Any] = {}
        self._stop = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def save(self, value: Any) -> None:
        self.saved = value

    def progress(self, done: int, total: int = 0, text: str = "") -> None:
        return None

    def sleep(self, seconds: float) -> bool:
        return not self._stop.wait(seconds)


class Servers:
    """Of this installation."""

    def __init__(self, info: HostInfo, http: Http) -> None:
        self._info = info
        self._http = http

    def any_answers(self) -> bool:
        """Whether there is one that would run a scan."""
        for address in self._info.listeners():
            try:
                reply = self._http.request("GET", f"{address}/health", timeout=2.0)
            except StageboxError:
                continue
            if reply.status in (200, 503):
                return True
        return False


class OperatorCommands:
    def __init__(
        self,
        routes: ScanRoutes,
        jobs: ScanJobs,
        scanner: Scanner,
        servers: Servers,
        start: Callable[[str], object],
    ) -> None:
        self._routes = routes
        self._jobs = jobs
        self._scanner = scanner
        self._servers = servers
        self._start = start

    def scan(self, io: CommandIO, path: str, kind: str, name: str | None, **flags: bool) -> int:
        """0 when it completed or was queued, 1 when it failed, 2 when it was refused."""
        sent: dict[str, Any] = {"path": path, "mediaType": kind}
        if name is not None:
            sent["name"] = name
        if flags["rescan"]:
            sent["options"] = {"rescan": True}
        try:
            accepted = self._routes.accept(Fields(sent, ""))
        except Invalid as error:
            io.error(_refusal(error, path))
            return 2
        job_id = accepted.job_id
        if self._servers.any_answers():
            self._start(job_id)
            if not flags["no_wait"]:
                self._wait(job_id)
        elif not flags["no_wait"]:
            self._scanner.work(_InCommand())
        row = self._jobs.get(job_id)
        io.print(json.dumps(self._jobs.shown([row])[0], ensure_ascii=False))
        return 1 if row["status"] in ("FAILED", "PAUSED") else 0

    def _wait(self, job_id: str) -> None:
        while (row := self._jobs.find(job_id)) is not None and row["status"] not in _ENDED:
            time.sleep(_LOOK_SECONDS)  # the server is another process: there is only looking


def _refusal(error: Invalid, path: str) -> str:
    """Names the folder, where that is what was refused."""
    about = error.details[0].path if error.details else ""
    unnamed = about == "path" and path not in error.message
    return f"{error.message}: {path}" if unnamed else error.message
