"""When tokens begin and when they end (local REST contract, 4.3)."""

from __future__ import annotations

import threading
from typing import Final

from builtin_plugins.signaling_login.servers import AllowedServers, not_allowed
from builtin_plugins.signaling_login.tokens import StoredToken, TokenTable
from builtin_plugins.signaling_login.upstream import User
from plugin_sdk import Clock, Settings, Unavailable
from plugin_sdk.management import ApiCatalog, HostInfo, PluginManagement

__all__ = ["Sessions"]

_SWITCHES: Final = ("local_api", "signaling_login")
"""Plugins whose switching on or off ends all tokens."""


class Sessions:
    """The tokens of one life of this plugin: from the start of a serving host, or the switching
    on or off of this plugin or of local_api, to the next such event. Several processes may serve:
    their life is one, so it has a name that all of them know at once, and whoever is the first to
    meet another name ends the tokens; those who follow a moment later end none. Who stops while
    others go on leaves the tokens to them.

    The events that tell of these come a moment later than the answer to whoever caused them, and
    a token must not live that long, nor die by an event that is older than itself. So before each
    use of a token the catalog of routes is looked at: one comparison while nothing has changed.
    A command that runs beside a server uses no token, and so ends none.
    """

    def __init__(
        self,
        table: TokenTable,
        servers: AllowedServers,
        api: ApiCatalog,
        info: HostInfo,
        plugins: PluginManagement,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._table = table
        self._servers = servers
        self._api = api
        self._info = info
        self._plugins = plugins
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        self._seen: int | None = None
        self._life = ""
        self._closed = False

    def look(self) -> None:
        """Clears all tokens if a new life has begun that nobody has noticed yet."""
        version = self._api.version
        if version == self._seen:
            return
        with self._lock:
            if self._closed:
                return
            self._life = self._life_now()
            self._table.begin(self._life, self._clock.ms())
            self._seen = version

    def _life_now(self) -> str:
        switched = (str(self._plugins.switched(each)) for each in _SWITCHES)
        return " ".join((self._info.life, *switched))

    def issue(self, user: User, server: str) -> tuple[str, int]:
        """A token and when it expires. Raises Forbidden (SERVER_NOT_ALLOWED) when the entry has
        left the list while the server was asked, Unavailable when the plugin was switched off."""
        with self._lock:
            self.look()
            if self._closed:
                raise Unavailable("The signaling login was switched off.")
            if server not in self._servers.entries:
                raise not_allowed()
            return self._table.make(user, server, self._clock.ms(), self._settings["maxTokens"])

    def find(self, token: str) -> StoredToken | None:
        """A live token."""
        self.look()
        found = self._table.find(token, self._clock.ms())
        if found is None or self._closed or found.server not in self._servers.entries:
            return None
        return found

    def end(self, token: str) -> bool:
        """Ends exactly this one; False when it was not live."""
        return self.find(token) is not None and self._table.delete(token)

    def revoke_removed(self) -> None:
        """After a change of the list: tokens of entries that are gone are gone for good."""
        with self._lock:
            self._table.keep_only(self._servers.entries)

    def close(self) -> None:
        """The plugin is switched off, or the host stops."""
        with self._lock:
            self._closed = True
            if self._seen is not None and not self._info.outlived:
                self._table.end(self._life, self._clock.ms())
