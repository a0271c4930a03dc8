"""What the log keeps, and who hears of it while it is written (media contract, 6 and 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from builtin_plugins.diagnostics.records import shown
from plugin_sdk import Realtime, Settings
from plugin_sdk.management import HostInfo

__all__ = ["LogFollowing"]

_OFF: Final = "off"


class LogFollowing:
    """Follows the settings ``logHttp`` and ``broadcastLogLevel``, from `start` to `stop`."""

    def __init__(self, info: HostInfo, settings: Settings, realtime: Realtime) -> None:
        self._info = info
        self._settings = settings
        self._realtime = realtime
        self._end: Callable[[], None] = _nothing

    def start(self) -> None:
        """As the settings say now; called again when they change."""
        self._info.keep_log("http" if self._settings["logHttp"] else None)
        self._end()
        level = self._settings["broadcastLogLevel"]
        self._end = _nothing if level == _OFF else self._info.follow_log(level, self._tell)

    def stop(self) -> None:
        self._end()
        self._end = _nothing
        self._info.keep_log(None)

    def _tell(self, record: Mapping[str, Any]) -> None:
        self._realtime.broadcast({"type": "log:message", **shown(record)})


def _nothing() -> None:
    """There is nothing to end."""
