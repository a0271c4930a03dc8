"""The auth provider (local REST contract, 3.3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from builtin_plugins.signaling_login.credentials import Credentials, is_claimed
from builtin_plugins.signaling_login.guards import LocalApiRules
from builtin_plugins.signaling_login.limits import PeerLimit, Places
from builtin_plugins.signaling_login.servers import AllowedServers
from builtin_plugins.signaling_login.sessions import Sessions
from builtin_plugins.signaling_login.upstream import Upstream, User
from plugin_sdk import AuthProvider, Login, Principal, Request

__all__ = ["SignalingLogin"]


class SignalingLogin(AuthProvider):
    """Lets in whom an allowed signaling server vouches for. Its principals hold no permissions,
    and it knows no administrator."""

    name: ClassVar = "signaling"

    def __init__(
        self,
        rules: LocalApiRules,
        servers: AllowedServers,
        places: Places,
        peers: PeerLimit,
        upstream: Upstream,
        sessions: Sessions,
    ) -> None:
        self._rules = rules
        self._servers = servers
        self._places = places
        self._peers = peers
        self._upstream = upstream
        self._sessions = sessions

    def claims(self, body: Mapping[str, Any]) -> bool:
        return is_claimed(body)

    def login(self, body: Mapping[str, Any], request: Request) -> Login:
        """In the order of the contract's table: nothing is sent anywhere before the list test.

        Raises Invalid; Forbidden (LAN_DISABLED, NO_ALLOWED_SERVERS, SERVER_NOT_ALLOWED,
        USER_NOT_ALLOWED); RateLimited; Unauthenticated (INVALID_CREDENTIALS); UpstreamFailed."""
        self._rules.check_peer(request)
        credentials = Credentials.read(body)
        server = self._servers.match(credentials.server_url)
        with self._places.one(), self._peers.attempt(request):
            user = self._upstream.verify(server, credentials)
            self._rules.check_user(user)
        token, expires_at = self._sessions.issue(user, server)
        return Login(token, expires_at, _principal(user, server), {"user": user.as_json()})

    def identify(self, token: str) -> Principal | None:
        found = self._sessions.find(token)
        if found is None:
            return None
        who = _principal(found.user, found.server)
        return replace(who, created_at=found.created_at, expires_at=found.expires_at)

    def logout(self, token: str) -> bool:
        return self._sessions.end(token)


def _principal(user: User, server: str) -> Principal:
    # Two servers may know different people by the same id, and one may hand out "profile-1".
    return Principal(
        id=f"{user.id}@{server}",
        name=user.display_name,
        provider=SignalingLogin.name,
        user=user.as_json(),
    )
