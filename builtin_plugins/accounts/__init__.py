"""Accounts: profiles with name and PIN, their sessions, recovery, first run, permission groups.

Sections 2 to 6 of the plugin contract. Signing in and out are routes of the host; this plugin is
one of the auth providers behind them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from builtin_plugins.accounts.attempts import Attempts
from builtin_plugins.accounts.callers import id_of, profile_changes, session_answer
from builtin_plugins.accounts.explaining import explain
from builtin_plugins.accounts.first_run import FirstRun
from builtin_plugins.accounts.freshness import Freshness
from builtin_plugins.accounts.grants import Grants
from builtin_plugins.accounts.groups import MANAGE_PERMISSIONS, GroupStore
from builtin_plugins.accounts.hashing import SecretHasher
from builtin_plugins.accounts.identities import Identities
from builtin_plugins.accounts.operator_commands import OperatorCommands
from builtin_plugins.accounts.peers import PeerLimit
from builtin_plugins.accounts.profiles import MANAGE_PROFILES, ProfileNames, ProfileStore
from builtin_plugins.accounts.provider import ProfileLogin
from builtin_plugins.accounts.recovery import Recovery
from builtin_plugins.accounts.sessions import SessionStore
from builtin_plugins.accounts.shapes import (
    CHANGES,
    GROUP,
    GROUP_CHANGES,
    GROUPS,
    NEW_GROUP,
    NEW_PROFILE,
    PROFILE,
    PROFILES,
    RECOVERY,
    SESSION,
    STATUS,
)
from builtin_plugins.accounts.tables import UNKNOWN_NAMES, create_tables
from plugin_sdk import (
    Argument,
    CommandIO,
    Database,
    Forbidden,
    JobRun,
    Plugin,
    Provider,
    Request,
    Response,
    command,
    job,
    migration,
    route,
)
from plugin_sdk.hookspecs import PurgeScope

__all__ = ["Accounts", "plugin"]

_AUTH = ("auth",)
_PROFILES = ("Profiles",)
_SETUP = ("Setup",)
_GROUPS = ("Permission groups",)
_HOUR = 3600.0
_NAME = Argument("name", "The profile's name")


class Accounts(Plugin):
    """The front: every route, command and contribution, each with its work elsewhere."""

    def enable(self) -> None:
        context = self.context
        db, clock, settings = context.db, context.clock, context.settings
        hasher = SecretHasher(max(2, os.cpu_count() or 2))
        own_machine = db.engine == "sqlite"
        folder = context.paths.data if own_machine else None
        fresh = self._freshness = Freshness(db, folder, context.log)
        self._limit = PeerLimit()
        self._grants = grants = Grants(db)
        self._identities = Identities(db, clock, fresh)
        self._sessions = sessions = SessionStore(db, clock, settings, fresh)
        self._profiles = people = ProfileStore(
            db, clock, context.events, hasher, sessions, grants, fresh
        )
        self._groups = GroupStore(db, clock, context.events, people, grants, fresh)
        self._attempts = Attempts(db, clock, settings, hasher, people)
        self._recovery = Recovery(self._attempts, hasher, people, fresh)
        self._first_run = FirstRun(db, settings, people, self._groups)
        self._operator = OperatorCommands(db, clock, hasher, people, fresh)
        context.services.offer("accounts.profiles", ProfileNames(people))

    def disable(self) -> None:
        self._freshness.close()

    @migration("001-accounts")
    def create_tables(self, db: Database) -> None:
        create_tables(db)

    def providers(self) -> Sequence[Provider]:
        login = ProfileLogin(
            self._attempts,
            self._profiles,
            self._sessions,
            self._identities,
            self._grants,
            self._limit,
        )
        return [Provider("auth", login.name, login)]

    @job("sweep-sessions", every=_HOUR, at_start=True)
    def sweep_sessions(self, run: JobRun) -> int:
        """Removes sessions that have expired"""
        return self._sessions.sweep()

    def diagnostics(self) -> Mapping[str, Any]:
        db = self.context.db
        return {
            "profiles": self._profiles.count(),
            "groups": db.table("permission_groups").count_where(),
            "sessions": db.table("sessions").count_where(),
            "attemptsWithUnknownName": (db.table("counters").get(UNKNOWN_NAMES) or {}).get("value"),
        }

    def holds(self, plugin_id: str) -> Mapping[str, int]:
        return {"permissions granted to groups": len(self._groups.granted(plugin_id))}

    def purge(self, plugin_id: str, scope: PurgeScope) -> int:
        return self._groups.forget(plugin_id) if scope == "all" else 0

    # First run

    @route("GET", "/api/setup/status", access="open", returns=STATUS, tags=_SETUP)
    def setup_status(self, request: Request) -> Any:
        """Whether the first profile has been made"""
        return self._first_run.status()

    @route(
        "POST",
        "/api/setup/init",
        access="open",
        returns=PROFILE,
        status=201,
        errors=(400, 403, 413, 415),
        audit=True,
        tags=_SETUP,
        extra=NEW_PROFILE.documented,
    )
    def setup_init(self, request: Request) -> Response:
        """Make the first profile, an administrator; possible once"""
        self._first_run.admit(request)
        return _created_profile(self._first_run.init(NEW_PROFILE.read(request)))

    # Sessions

    @route("GET", "/api/auth/session", returns=SESSION, tags=_AUTH)
    def session(self, request: Request) -> Any:
        """The caller's session, profile and permissions"""
        return session_answer(request, self._profiles, self._sessions)

    @route(
        "POST",
        "/api/auth/recover",
        access="open",
        returns=PROFILE,
        errors=(400, 401, 413, 415, 429),
        audit=True,
        tags=_AUTH,
        extra=RECOVERY.documented,
    )
    def recover(self, request: Request) -> Any:
        """Set another PIN by means of the recovery phrase"""
        values = RECOVERY.read(request)
        with self._limit.attempt(request):
            return self._recovery.recover(values)

    # Profiles

    @route("GET", "/api/profiles", access="open", returns=PROFILES, tags=_PROFILES)
    def list_profiles(self, request: Request) -> Any:
        """All profiles, by id"""
        return self._profiles.all()

    @route(
        "GET",
        "/api/profiles/{id}",
        access="open",
        returns=PROFILE,
        errors=(400, 404),
        tags=_PROFILES,
    )
    def get_profile(self, request: Request) -> Any:
        """One profile"""
        return self._profiles.get(id_of(request))

    @route(
        "POST",
        "/api/profiles",
        permission=MANAGE_PROFILES,
        returns=PROFILE,
        status=201,
        errors=(400, 409, 413, 415),
        tags=_PROFILES,
        extra=NEW_PROFILE.documented,
    )
    def create_profile(self, request: Request) -> Response:
        """Make a profile"""
        values = NEW_PROFILE.read(request)
        return _created_profile(self._profiles.create(values, request.principal))

    @route(
        "PATCH",
        "/api/profiles/{id}",
        returns=PROFILE,
        errors=(400, 403, 404, 409, 413, 415),
        audit=True,
        tags=_PROFILES,
        extra=CHANGES.documented,
    )
    def change_profile(self, request: Request) -> Any:
        """Change what is sent of a profile

        Needs the permission MANAGE_PROFILES; everybody may change avatarId and profileSettings
        of the own profile."""
        changes = profile_changes(request, self.context.permissions, self._profiles)
        return self._profiles.change(
            id_of(request), changes, request.principal, token=request.token
        )

    @route(
        "DELETE",
        "/api/profiles/{id}",
        permission=MANAGE_PROFILES,
        status=204,
        errors=(400, 404, 409),
        tags=_PROFILES,
    )
    def delete_profile(self, request: Request) -> None:
        """Delete a profile with its sessions, and what other plugins keep for it"""
        profile_id = id_of(request)
        self._profiles.delete(profile_id, request.principal)
        if not self.context.events.settle():
            self.context.log.warning(
                "Not every plugin has heard in time that profile %d is deleted; they will.",
                profile_id,
            )

    # Permission groups

    @route(
        "GET",
        "/api/admin/permission-groups",
        permission=MANAGE_PERMISSIONS,
        returns=GROUPS,
        tags=_GROUPS,
    )
    def list_groups(self, request: Request) -> Any:
        """All groups, by id"""
        return self._groups.all()

    @route(
        "POST",
        "/api/admin/permission-groups",
        permission=MANAGE_PERMISSIONS,
        returns=GROUP,
        status=201,
        errors=(400, 409, 413, 415),
        tags=_GROUPS,
        extra=NEW_GROUP.documented,
    )
    def create_group(self, request: Request) -> Response:
        """Make a group"""
        return Response.created(self._groups.create(NEW_GROUP.read(request), request.principal))

    @route(
        "PATCH",
        "/api/admin/permission-groups/{id}",
        permission=MANAGE_PERMISSIONS,
        returns=GROUP,
        errors=(400, 404, 409, 413, 415),
        tags=_GROUPS,
        extra=GROUP_CHANGES.documented,
    )
    def change_group(self, request: Request) -> Any:
        """Change what is sent of a group; lists are replaced"""
        group_id = id_of(request)
        self._groups.refuse_above(group_id, request.principal)
        return self._groups.change(group_id, GROUP_CHANGES.read(request), request.principal)

    @route(
        "DELETE",
        "/api/admin/permission-groups/{id}",
        permission=MANAGE_PERMISSIONS,
        status=204,
        errors=(400, 404, 409),
        tags=_GROUPS,
    )
    def delete_group(self, request: Request) -> None:
        """Delete a group"""
        self._groups.delete(id_of(request), request.principal)

    # Commands

    @command(
        "setup",
        Argument("--name", "The administrator's name"),
        Argument("--pin", "4 to 32 characters; asked for when missing", secret=True),
        Argument("--phrase", "Recovery phrase, 4 to 128 characters", secret=True),
        Argument("--hint", "What reminds of the phrase", required=False, default=""),
        group="",
    )
    def setup(self, io: CommandIO, name: str, pin: str, phrase: str, hint: str = "") -> int | None:
        """Make the first profile, an administrator; possible once."""
        body = {"name": name, "pin": pin, "recoveryPhrase": phrase, "recoveryPhraseHint": hint}
        try:
            profile = self._first_run.init(NEW_PROFILE.check(body))
        except Forbidden as error:
            io.error(f"{error.code}: {error.message}")
            return 1
        io.print(f"Made the administrator {profile['name']}.")
        return None

    @command("list")
    def list_accounts(self, io: CommandIO) -> None:
        """All profiles: id, name, whether locked, permissions."""
        self._operator.list(io)

    @command("unlock", _NAME)
    def unlock_account(self, io: CommandIO, name: str) -> None:
        """End the lock of a profile, whoever or whatever locked it."""
        io.print(f"{self._operator.unlock(name)} is unlocked.")

    @command("set-pin", _NAME, Argument("--pin", "4 to 32 characters", secret=True))
    def set_account_pin(self, io: CommandIO, name: str, pin: str) -> None:
        """Give a profile another PIN; ends its lock and all its sessions."""
        io.print(f"{self._operator.set_pin(name, pin)} has another PIN.")

    @command("why", _NAME, Argument("permission", "UPLOAD, or rooms:moderate"), group="")
    def why(self, io: CommandIO, name: str, permission: str) -> None:
        """Why a profile may do something, or may not: groups, and what plugins decide."""
        for line in explain(self.context, self._profiles, name, permission):
            io.print(line)


def _created_profile(profile: dict[str, Any]) -> Response:
    return Response.created(profile, f"/api/profiles/{profile['id']}")


plugin = Accounts
