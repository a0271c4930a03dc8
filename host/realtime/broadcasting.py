"""``context.realtime``: whatever realtime provider is active, in every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from host.db.signals import Signals
from host.providers import ProviderRegistry
from host.realtime.fanout import FanOut
from plugin_sdk import Invalid, Logger, Principal, Realtime, RealtimeProvider, check_json

__all__ = ["Broadcasting"]

_LOG_MESSAGE: Final = "log:message"
_Allow = Callable[[Principal], bool]


class Broadcasting:
    """The messages of one process, and what it hears of others."""

    def __init__(self, providers: ProviderRegistry, signals: Signals, log: Logger) -> None:
        self._providers = providers
        self._log = log
        self._fanout = FanOut(signals, self._hear, log)

    def start(self, *, listen: bool = True) -> None:
        self._fanout.start(listen=listen)

    def stop(self) -> None:
        self._fanout.stop()

    def of(self, log: Logger) -> Realtime:
        """``context.realtime`` of a plugin that logs there."""
        return _PluginRealtime(self, log)

    def broadcast(
        self, message: Mapping[str, Any], allow: _Allow | None, permission: str | None, log: Logger
    ) -> None:
        """See `plugin_sdk.Realtime.broadcast`. Nothing is rendered for nobody: a provider without
        clients need not, and other processes are told of it only if there are some."""
        provider = self._provider()
        if provider is not None:
            _tell(provider, message, _both(allow, permission), log)
        if allow is not None or self._fanout.alone or getattr(provider, "reaches_all", False):
            return
        try:
            document = [permission, dict(message)]
            check_json(document)  # refuses what clients could not read
            self._fanout.publish(json.dumps(document))
        except (TypeError, ValueError, RecursionError, Invalid) as error:
            if not _is_log_line(message):  # that would go in circles
                log.error("A realtime message was not sent to other processes: %s", error)

    def _hear(self, text: str) -> None:
        permission, message = json.loads(text)
        provider = self._provider()
        if provider is not None:
            _tell(provider, message, _both(None, permission), self._log)

    def _provider(self) -> RealtimeProvider | None:
        """The active one."""
        found: RealtimeProvider | None = self._providers.leading("realtime")
        return found


def _tell(
    provider: RealtimeProvider, message: Mapping[str, Any], allow: _Allow | None, log: Logger
) -> None:
    try:
        provider.broadcast(message, allow=allow)
    except Exception as error:  # a foreign provider: the caller must not suffer
        log.error("Realtime provider %s failed.", provider.name, exc_info=error)


class _PluginRealtime(Realtime):
    def __init__(self, broadcasting: Broadcasting, log: Logger) -> None:
        self._broadcasting = broadcasting
        self._log = log

    def broadcast(
        self,
        message: Mapping[str, Any],
        *,
        allow: _Allow | None = None,
        permission: str | None = None,
    ) -> None:
        self._broadcasting.broadcast(message, allow, permission, self._log)


def _is_log_line(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("type") == _LOG_MESSAGE


def _both(allow: _Allow | None, permission: str | None) -> _Allow | None:
    if permission is None:
        return allow
    return partial(_holds_and, permission, allow)


def _holds_and(permission: str, allow: _Allow | None, principal: Principal) -> bool:
    return principal.holds(permission) and (allow is None or allow(principal))
