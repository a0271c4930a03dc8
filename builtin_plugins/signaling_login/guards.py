"""What settings of local_api say about logins (local REST contract, 1.1 and 1.3)."""

from __future__ import annotations

from typing import Any, Final

from builtin_plugins.signaling_login.upstream import User
from plugin_sdk import Forbidden, NotFound, Request, Services
from plugin_sdk.exposure import LanGuard
from plugin_sdk.management import SettingsManagement

__all__ = ["LocalApiRules"]

_CURRENT_USER: Final = "metoyou_currentUserId"


class LocalApiRules:
    """Asked of the host, so that they count while local_api is switched off; where there is no
    local_api, other machines may not log in."""

    def __init__(self, services: Services) -> None:
        self._settings: SettingsManagement = services.get("host.settings")
        self._lan = LanGuard.of(self._settings, "local_api", "exposeOnLan")
        self._services = services

    def check_peer(self, request: Request) -> None:
        """Raises Forbidden (LAN_DISABLED)."""
        self._lan.check(request)

    def check_user(self, user: User) -> None:
        """Raises Forbidden (USER_NOT_ALLOWED); ProviderUnavailable when it cannot be known who
        the current local user is."""
        if not self._restricted():
            return
        store: Any = self._services.get("plugin_data.store")
        current = store.get_meta(_CURRENT_USER)
        if current is not None and current != user.id:
            raise Forbidden(
                "Only the current local user may sign in here "
                "(setting restrictToLocalUser of local_api).",
                code="USER_NOT_ALLOWED",
            )

    def _restricted(self) -> bool:
        try:
            return self._settings.values("local_api").get("restrictToLocalUser") is True
        except NotFound:
            return False
