"""Signing in with an account of a signaling server that the administrator allows.

Offers the hook ``signaling_verify_login`` to other plugins; see `hookspecs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from builtin_plugins.signaling_login.guards import LocalApiRules
from builtin_plugins.signaling_login.hookspecs import SignalingHooks
from builtin_plugins.signaling_login.limits import PeerLimit, Places
from builtin_plugins.signaling_login.provider import SignalingLogin
from builtin_plugins.signaling_login.servers import AllowedServers
from builtin_plugins.signaling_login.sessions import Sessions
from builtin_plugins.signaling_login.tokens import TokenTable, create_life, create_tables
from builtin_plugins.signaling_login.upstream import Upstream
from plugin_sdk import (
    CommandIO,
    Database,
    Event,
    Plugin,
    Provider,
    command,
    event_handler,
    migration,
)

__all__ = ["SignalingLoginPlugin", "plugin"]


class SignalingLoginPlugin(Plugin):
    hookspecs: ClassVar = (SignalingHooks,)
    _sessions: Sessions | None = None

    @migration("001-tokens")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    @migration("002-lives")
    def create_life(self, db: Database) -> None:
        create_life(db)

    def enable(self) -> None:
        context = self.context
        settings, clock = context.settings, context.clock
        self._tokens = TokenTable(context.db)
        self._servers = AllowedServers(settings)
        self._sessions = Sessions(
            self._tokens,
            self._servers,
            context.services.get("host.api"),
            context.services.get("host.info"),
            context.services.get("host.plugins"),
            settings,
            clock,
        )
        settings.on_change(self._settings_changed)

    def disable(self) -> None:
        if self._sessions is not None:
            self._sessions.close()

    def providers(self) -> Sequence[Provider]:
        context = self.context
        assert self._sessions is not None
        login = SignalingLogin(
            LocalApiRules(context.services),
            self._servers,
            Places(context.settings),
            PeerLimit(context.clock),
            Upstream(context.http, context.hooks, context.settings, context.log),
            self._sessions,
        )
        return [Provider("auth", login.name, login)]

    def _settings_changed(self, names: frozenset[str]) -> None:
        if self._sessions is not None and "allowedSignalingServers" in names:
            self._sessions.revoke_removed()

    @event_handler("host.started", "host.plugin_enabled", "host.plugin_disabled")
    def life_may_have_begun(self, _event: Event) -> None:
        """So that old tokens are gone from the disk even if nobody signs in any more."""
        if self._sessions is not None:
            self._sessions.look()

    @command("clear-tokens")
    def clear_tokens(self, io: CommandIO) -> None:
        """End all sign-ins through signaling servers; prints how many there were."""
        io.print(str(self._tokens.clear(self.context.clock.ms())))

    def diagnostics(self) -> Mapping[str, Any]:
        return {
            "allowedServers": len(self._servers.entries),
            "liveTokens": self._tokens.count(self.context.clock.ms()),
        }


plugin = SignalingLoginPlugin
