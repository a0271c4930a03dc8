"""Whether other machines reach the local REST API (section 1.3 of its contract)."""

from __future__ import annotations

import threading

from plugin_sdk import Logger, Settings
from plugin_sdk.exposure import LanGuard
from plugin_sdk.management import HostInfo

__all__ = ["Exposure"]


class Exposure:
    """The setting ``exposeOnLan``, and what the host's listeners make of it."""

    def __init__(self, settings: Settings, host: HostInfo, log: Logger) -> None:
        self.guard = LanGuard(self._wished, "exposeOnLan of local_api")
        self._settings = settings
        self._host = host
        self._log = log
        self._announced = False
        self._lock = threading.Lock()

    @property
    def exposed(self) -> bool:
        """The running state: wished for, and a listener is bound beyond loopback."""
        return self._wished() and self._host.exposed()

    def announce(self) -> None:
        """Warns once each time that the API becomes reachable for other machines."""
        exposed = self.exposed
        with self._lock:
            news = exposed and not self._announced
            self._announced = exposed
        if not news:
            return
        self._log.warning(
            "The local REST API answers other machines: passwords and tokens travel unencrypted.%s",
            ""
            if self._settings["restrictToLocalUser"]
            else " Any user whom a signaling server vouches for may sign in"
            " (setting restrictToLocalUser is off).",
        )

    def _wished(self) -> bool:
        return bool(self._settings["exposeOnLan"])
