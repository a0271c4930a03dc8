"""The local REST API's own routes: health, and who may reach the API from other machines."""

from __future__ import annotations

from builtin_plugins.local_api.exposure import Exposure
from builtin_plugins.local_api.health import HEALTH, health
from plugin_sdk import Event, Plugin, Request, Response, event_handler, route


class LocalApi(Plugin):
    _exposure: Exposure

    def enable(self) -> None:
        context = self.context
        host = context.services.get("host.info")
        self._exposure = Exposure(context.settings, host, context.log)
        context.settings.on_change(lambda _names: self._exposure.announce())

    def guard(self, request: Request) -> None:
        self._exposure.check(request)

    @event_handler("host.started")
    def listening(self, _event: Event) -> None:
        """Only now it is sure where this host listens; a command never gets here."""
        self._exposure.announce()

    @route(
        "GET",
        "/api/health",
        access="open",
        returns=HEALTH,
        operation_id="getHealth",
        tags=["local"],
    )
    def health(self, request: Request) -> Response:
        """Whether the host is up. Asks no database, so it answers whatever else is busy."""
        host = self.context.services.get("host.info")
        return health(
            host.version, self.context.clock.ms(), self._exposure.exposed, host.websocket_url()
        )


plugin = LocalApi
