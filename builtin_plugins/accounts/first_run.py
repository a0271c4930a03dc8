"""The first run: the first profile, which administers (plugin contract, 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from builtin_plugins.accounts.groups import GroupStore
from builtin_plugins.accounts.permissions import CORE
from builtin_plugins.accounts.profiles import ProfileStore
from plugin_sdk import Database, Forbidden, Request, Settings

__all__ = ["FirstRun"]

_GROUP: Final = "admin"


class FirstRun:
    """Possible while there is no profile. By the last-admin rule it never comes back."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        profiles: ProfileStore,
        groups: GroupStore,
    ) -> None:
        self._db = database
        self._settings = settings
        self._profiles = profiles
        self._groups = groups

    def status(self) -> dict[str, Any]:
        """``{"configured", "profiles"}``."""
        count = self._profiles.count()
        return {"configured": count > 0, "profiles": count}

    def admit(self, request: Request) -> None:
        """Raises Forbidden: SETUP_COMPLETE, or for another machine that may not do it."""
        self._refuse_late()
        if not request.loopback and not self._settings["remoteSetup"]:
            raise Forbidden(
                "The first profile is made on the host's own machine: open this page there, run "
                "`stagebox setup`, or set remoteSetup of accounts."
            )

    def init(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The profile, and the group that holds it with every permission of the host: both or
        nothing. Raises Forbidden (SETUP_COMPLETE), also when another call was faster."""
        self._refuse_late()
        secrets = self._profiles.hashed(values)
        with self._db.transaction():
            self._refuse_late()
            profile = self._profiles.insert(values, secrets)
            self._groups.insert(_GROUP, [profile["id"]], CORE)
        return profile

    def _refuse_late(self) -> None:
        if self._profiles.count():
            raise Forbidden("This host is set up already.", code="SETUP_COMPLETE")
