"""The local REST API's own routes: health, the profile, and who may reach it from elsewhere.

Tells other plugins of its beginning and end: see `hookspecs`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from builtin_plugins.local_api.exposure import Exposure
from builtin_plugins.local_api.health import HEALTH, health
from builtin_plugins.local_api.hookspecs import LocalApiHooks
from builtin_plugins.local_api.profile import PROFILE, Profiles
from builtin_plugins.local_api.service import Announcer
from plugin_sdk import (
    Argument,
    CommandIO,
    Event,
    Plugin,
    ProviderUnavailable,
    Request,
    Response,
    command,
    event_handler,
    route,
)
from plugin_sdk.management import HostInfo

__all__ = ["LocalApi", "plugin"]

_NO_STORE: Final = {"Cache-Control": "no-store"}


class LocalApi(Plugin):
    hookspecs: ClassVar = (LocalApiHooks,)
    _exposure: Exposure
    _announcer: Announcer | None = None

    def enable(self) -> None:
        context = self.context
        self._info: HostInfo = context.services.get("host.info")
        self._exposure = Exposure(context.settings, self._info, context.log)
        self._profiles = Profiles(context.services)
        self._announcer = Announcer(context.hooks)
        context.settings.on_change(lambda _names: self._exposure.announce())

    def disable(self) -> None:
        if self._announcer is not None:
            self._announcer.stop()

    def guard(self, request: Request) -> None:
        self._exposure.guard.check(request)

    @event_handler("host.started", "host.plugin_enabled")
    def listening(self, event: Event) -> None:
        """Only now it is sure where this host listens; a command never gets here."""
        own = event.data.get("pluginId") == self.context.plugin_id
        if self._announcer is not None and (event.name == "host.started" or own):
            self._exposure.announce()
            self._announcer.start(self._info.listeners())

    @event_handler("host.stopping")
    def stopping(self, _event: Event) -> None:
        """While the plugins that want to know are still there."""
        if self._announcer is not None:
            self._announcer.stop()

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
        info = self._info
        return health(
            info.version, self.context.clock.ms(), self._exposure.exposed, info.websocket_url()
        )

    @route(
        "GET",
        "/api/profile",
        access="token",
        returns=PROFILE,
        operation_id="getProfile",
        tags=["local"],
    )
    def profile(self, request: Request) -> Response:
        """The current local user

        As stored; while there is none, the user of the token.
        """
        return Response(self._profiles.of(request.principal), headers=_NO_STORE)

    @command("set-meta", Argument("key", "Its key, any text"), Argument("value", "The text"))
    def set_meta(self, io: CommandIO, key: str, value: str) -> None:
        """Store a text under a key of /api/meta."""
        self._texts().set_meta(key, value)

    @command("unset-meta", Argument("key", "Its key"))
    def unset_meta(self, io: CommandIO, key: str) -> None:
        """Remove a key of /api/meta; it need not be there."""
        self._texts().unset_meta(key)

    def _texts(self) -> Any:
        """The store of named texts. Raises ProviderUnavailable while plugin_data is off."""
        texts = self.context.services.find("plugin_data.store")
        if texts is None:
            raise ProviderUnavailable(
                "Meta is kept by plugin_data, which is switched off: enable that first."
            )
        return texts


plugin = LocalApi
