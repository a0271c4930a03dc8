"""Carries messages to everybody who listens at ``/ws``: the realtime provider ``ws``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from builtin_plugins.realtime.hub import Hub
from plugin_sdk import Connection, Plugin, Provider, Route, WebSocketRoute, websocket


class RealtimePlugin(Plugin):
    _hub: Hub

    def enable(self) -> None:
        self._hub = Hub(self.context.clock, self.context.log)

    @websocket("/ws", access="open")
    def listen(self, connection: Connection) -> None:
        """Every message, to everybody; frames from clients are ignored."""
        self._hub.join(connection, limit=self.context.settings["maxConnections"])

    def routes(self) -> Sequence[Route | WebSocketRoute]:
        settings = self.context.settings
        return [
            replace(
                declared,
                ping_interval=float(settings["pingIntervalSeconds"]),
                max_connections=settings["maxConnections"],
                max_queue=settings["sendQueueBytes"],
            )
            for declared in super().routes()
            if isinstance(declared, WebSocketRoute)
        ]

    def providers(self) -> list[Provider]:
        return [Provider("realtime", Hub.name, self._hub)]

    def diagnostics(self) -> Mapping[str, Any]:
        return {"connections": len(self._hub)}

    def disable(self) -> None:
        self._hub.close()


plugin = RealtimePlugin
